"""The numbers of every epoch, and which epoch is the best."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fusionq.engine.metrics import Metric
from fusionq.errors import MetricError

TRAIN = "train"
VAL = "val"
TEST = "test"

_LAST_SIGNS = {"+": "plus", "-": "minus"}


def key_of(phase: str, name: str) -> str:
    """Returns the key of a metric in the history: `test` and `Top 1 Acc ` give `test_top_1_acc`.

    Letters of any script stay. A sign at the end tells `acc+` from `acc-`, so it becomes a word.
    """
    name = unicodedata.normalize("NFC", name).strip().lower()
    for sign, word in _LAST_SIGNS.items():
        name = f"{name.removesuffix(sign)} {word}" if name.endswith(sign) else name
    word = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in name)
    return "_".join([phase, *(word.split() or _named(name))])


def _named(signs: str) -> list[str]:
    """Returns words for a name that is made of signs alone."""
    return " ".join(unicodedata.name(sign, "sign").lower().replace("-", " ") for sign in signs).split()


def keys_of(phase: str, metrics: Sequence[Metric]) -> list[str]:
    """Returns a key for each metric. Raises MetricError where two would share one."""
    names: dict[str, str] = {}
    for metric in metrics:
        key = key_of(phase, metric.name)
        if key in names:
            raise MetricError(_clash(key, names[key], metric.name))
        names[key] = metric.name
    return list(names)


def _clash(key: str, first: str, second: str) -> str:
    if first == second:
        return f"two metrics are both called {first!r}; give one of them another name"
    return f"the metrics {first!r} and {second!r} would both be {key!r}; give one of them another name"


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
