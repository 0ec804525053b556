"""Which values of a history belong into one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fusionq.engine.torchmetrics_adapter import TorchMetric
from fusionq.spec.metric_keys import EPOCH, LOSS, RATE, is_rate

if TYPE_CHECKING:
    from fusionq.engine.metrics import Metric
    from fusionq.engine.training import Training

MOST = 1e300  # beyond it an axis has no room
DECADES = 30.0  # between the largest and the smallest value, for a logarithmic axis


@dataclass
class Curves:
    """One picture: `lines` by their label, over `epochs`."""

    name: str
    epochs: Sequence[float]
    lines: dict[str, list[float]] = field(default_factory=dict)

    @property
    def is_logarithmic(self) -> bool:
        """Whether it is a loss or a learning rate that spans decades."""
        if self.name not in (LOSS, RATE):
            return False
        values = [value for line in self.lines.values() for value in line if not math.isnan(value)]
        return bool(values) and min(values) > 0 and max(values) / min(values) > DECADES


def curves_of(training: Training) -> list[Curves]:
    """The losses, the learning rates, and the metrics, those of one kind together whatever their names."""
    series = training.history.series()
    epochs = series.pop(EPOCH, [])
    metrics = {key: metric for test in training.tests for key, metric in test.metrics.items()}
    metrics |= training.train_metrics
    grouped: dict[str, dict[tuple[str, str], list[float]]] = {}
    for key, values in series.items():
        phase, _, name = (key, "", RATE) if is_rate(key) else key.partition("_")
        kind = f"kind {_kind(metrics[key])}" if key in metrics else name
        grouped.setdefault(kind, {})[phase, name] = [_drawable(value) for value in values]
    return [_curves(kind, epochs, lines) for kind, lines in grouped.items()]


def _curves(kind: str, epochs: Sequence[float], lines: dict[tuple[str, str], list[float]]) -> Curves:
    names = {name for _, name in lines}
    title = names.pop() if len(names) == 1 else kind.removeprefix("kind ")
    return Curves(
        title,
        epochs,
        {phase if name == title else f"{phase} {name}": line for (phase, name), line in lines.items()},
    )


def _kind(metric: Metric) -> str:
    measure = metric.metric if isinstance(metric, TorchMetric) else metric
    return type(measure).__name__.lower()


def _drawable(value: float) -> float:
    return value if abs(value) < MOST else math.nan
