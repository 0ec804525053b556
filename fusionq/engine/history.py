"""The numbers of every epoch, and which epoch is the best."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fusionq.engine.metrics import Metric
from fusionq.errors import MetricError

TRAIN = "train"
VAL = "val"
TEST = "test"


def key_of(phase: str, name: str) -> str:
    """The key of a metric in the history: `test` and `Top 1 Acc ` give `test_top_1_acc`."""
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return f"{phase}_{word}"


def keys_of(phase: str, metrics: Sequence[Metric]) -> list[str]:
    """A key for each metric. Raises MetricError where two would share one."""
    keys = [key_of(phase, metric.name) for metric in metrics]
    for key in keys:
        if keys.count(key) > 1:
            raise MetricError(f"two metrics are both called {key!r}; give one of them another name")
    return keys


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
    """Which epoch has the best monitored value. A value that is not a number is never the best."""

    def __init__(self, monitor: str, mode: str) -> None:
        self.monitor = monitor
        self.mode = mode
        self.epoch = 0
        self.value = math.nan

    def offer(self, epoch: int, value: float) -> bool:
        """Whether this epoch is better than all before; the first of equals stays."""
        if math.isnan(value):
            return False
        if not math.isnan(self.value):
            is_better = value > self.value if self.mode == "max" else value < self.value
            if not is_better:
                return False
        self.epoch, self.value = epoch, value
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"monitor": self.monitor, "mode": self.mode, "epoch": self.epoch, "value": self.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        # What is asked of the job now decides; an old best of another measure says nothing.
        if (state["monitor"], state["mode"]) == (self.monitor, self.mode):
            self.epoch, self.value = state["epoch"], state["value"]


def choose_best(
    monitor: str | None, mode: str | None, train: dict[str, Metric], tests: Sequence[dict[str, Metric]]
) -> Best:
    """What decides the best epoch: by default the first metric of `tests`, else of `train`, else the loss.

    All are metrics by their history keys. Raises MetricError for an unknown
    `monitor`.
    """
    metrics = {key: metric for group in [*tests, train] for key, metric in group.items()}
    loss_key = f"{TRAIN}_loss"
    monitor = monitor or next(iter(metrics), loss_key)
    if monitor != loss_key and monitor not in metrics:
        known = ", ".join([loss_key, *metrics])
        raise MetricError(f"checkpoint.monitor: there is no value {monitor!r}; this job has {known}")
    higher = monitor != loss_key and getattr(metrics[monitor], "higher_is_better", True)
    return Best(monitor, mode or ("max" if higher else "min"))
