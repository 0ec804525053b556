"""The numbers of every epoch, and which epoch is the best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fusionq.engine.metrics import Metric
from fusionq.errors import MetricError
from fusionq.spec.metric_keys import TEST, TRAIN, VAL, key_of, loss_key, name_mistake


def keys_of(phase: str, metrics: Sequence[Metric], *, has_loss: bool = True) -> list[str]:
    """A key for each metric. Raises MetricError where two would share one, or one has that of the loss.

    `has_loss`: whether the loss is measured in that phase.
    """
    names = [metric.name for metric in metrics]
    if mistake := name_mistake(phase, names, has_loss=has_loss):
        raise MetricError(mistake)
    return [key_of(phase, name) for name in names]


@dataclass
class History:
    """One row per finished epoch: {"epoch": 1, "train_loss": 0.3, "test_accuracy": 0.95, …}."""

    rows: list[dict[str, float]] = field(default_factory=list)

    def add(self, epoch: int, values: dict[str, float]) -> None:
        self.rows.append({"epoch": epoch, **values})

    def series(self) -> dict[str, list[float]]:
        """The rows as columns."""
        keys = dict.fromkeys(key for row in self.rows for key in row)
        return {key: [row.get(key, math.nan) for row in self.rows] for key in keys}


class Best:
    """Which epoch has the best monitored value. One that is infinite or not a number is never the best."""

    def __init__(self, monitor: str, mode: str) -> None:
        self.monitor = monitor
        self.mode = mode
        self.epoch = 0
        self.value = math.nan

    def offer(self, epoch: int, value: float) -> bool:
        """Whether this epoch is better than all before; the first of equals stays."""
        if not math.isfinite(value):
            return False
        if self.is_known:
            is_better = value > self.value if self.mode == "max" else value < self.value
            if not is_better:
                return False
        self.epoch, self.value = epoch, value
        return True

    @property
    def is_known(self) -> bool:
        """Whether any epoch had a number."""
        return math.isfinite(self.value)

    @property
    def by_key(self) -> dict[str, float]:
        """The best value behind its key; {} before there is one."""
        return {self.monitor: self.value} if self.is_known else {}

    def state_dict(self) -> dict[str, Any]:
        return {"monitor": self.monitor, "mode": self.mode, "epoch": self.epoch, "value": self.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        # What is asked of the job now decides; an old best of another measure says nothing.
        if (state["monitor"], state["mode"]) == (self.monitor, self.mode):
            self.epoch, self.value = state["epoch"], state["value"]


@dataclass(frozen=True)
class Measured:
    """What is measured on the data of a phase: the loss, or not, and metrics by their history keys."""

    phase: str
    metrics: Mapping[str, Metric]
    has_loss: bool = True

    def monitorable(self) -> list[str]:
        """The keys that may be monitored, those of metrics first: what is there decides in this order."""
        return [*self.metrics, *([loss_key(self.phase)] if self.has_loss else [])]


def choose_best(monitor: str | None, mode: str | None, measured: Sequence[Measured]) -> Best:
    """What decides the best epoch. Raises MetricError for an unknown `monitor`.

    By default it is what is measured on validation data, else on test data, else in training: the first
    metric there, or the loss.
    """
    by_phase = {one.phase: one for one in measured}
    known = [
        key for phase in (VAL, TEST, TRAIN) if phase in by_phase for key in by_phase[phase].monitorable()
    ]
    monitor = monitor or known[0]
    if monitor not in known:
        lacks = any(monitor == loss_key(one.phase) for one in measured)
        why = "; __eval_function__ measures it where it takes `running_loss`" if lacks else ""
        raise MetricError(
            f"checkpoint.monitor: there is no value {monitor!r}; this job has {', '.join(known)}{why}"
        )
    metrics = {key: metric for one in measured for key, metric in one.metrics.items()}
    higher = monitor in metrics and getattr(metrics[monitor], "higher_is_better", True)
    return Best(monitor, mode or ("max" if higher else "min"))
