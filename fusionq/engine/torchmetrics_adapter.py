"""Any torchmetrics metric as one of ours."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from fusionq.engine.metrics import Metric


def is_torchmetric(value: Any) -> bool:
    """Whether `value` is a torchmetrics metric; does not import torchmetrics."""
    return any(cls.__module__.startswith("torchmetrics.") for cls in type(value).__mro__)


class TorchMetric(Metric):
    """Wraps a torchmetrics metric (https://lightning.ai/docs/torchmetrics)."""

    def __init__(self, metric: Any, name: str | None = None) -> None:
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
        return float(self.metric.compute())

    def state_dict(self) -> dict[str, Any]:
        return {"state": dict(self.metric.metric_state), "updates": self.metric.update_count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.metric.reset()
        for key, value in state["state"].items():
            setattr(self.metric, key, value)
        self.metric._update_count = state["updates"]
        self.metric._computed = None
