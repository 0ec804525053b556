"""Any torchmetrics metric as one of ours."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from fusionq.engine.metrics import Metric
from fusionq.errors import MetricError


def is_torchmetric(value: Any) -> bool:
    """Whether `value` is a torchmetrics metric; does not import torchmetrics."""
    return any(cls.__module__.startswith("torchmetrics.") for cls in type(value).__mro__)


class TorchMetric(Metric):
    """Wraps a torchmetrics metric (https://lightning.ai/docs/torchmetrics) whose value is one number."""

    def __init__(self, metric: Any, name: str | None = None) -> None:
        """Raises MetricError for a collection of several."""
        if any(cls.__name__ == "MetricCollection" for cls in type(metric).__mro__):
            raise MetricError("a MetricCollection is several metrics; list each of them by itself")
        self.metric = metric
        higher = getattr(metric, "higher_is_better", None)
        self.higher_is_better = True if higher is None else bool(higher)
        super().__init__(name or type(metric).__name__)

    def reset(self) -> None:
        self.metric.reset()

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        if self.metric.device != outputs.device:
            self.metric.to(outputs.device)
        self.metric.update(outputs, targets)

    def result(self) -> float:
        """Raises MetricError where it is not one number, as with `average: none`."""
        value = self.metric.compute()
        try:
            return float(value)
        except (TypeError, ValueError, RuntimeError):
            raise MetricError(
                f"the metric {self.name!r} gives {_form(value)}; its result must be one number"
            ) from None

    def state_dict(self) -> dict[str, Any]:
        return {"state": dict(self.metric.metric_state), "updates": self.metric.update_count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.metric.reset()
        for key, value in state["state"].items():
            setattr(self.metric, key, value)
        self.metric._update_count = state["updates"]
        self.metric._computed = None


def _form(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"
