"""Metrics whose values a test decides, and trainings whose best epoch they decide."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

import fusionq as tf
from fusionq.engine.callbacks.base import Callback
from fusionq.spec.events import EpochEnd
from tests.engine.jobs import loader, network, train


class Never(tf.Metric):
    """Never a number; with `good` in one epoch."""

    def __init__(self, value: float = math.nan, good: int = 0) -> None:
        self.value, self.good, self.epoch = value, good, 0
        super().__init__("odd")

    def reset(self) -> None:
        self.epoch += 1

    def update(self, outputs: Any, targets: Any) -> None:
        pass

    def result(self) -> float:
        return 0.5 if self.epoch - 1 == self.good else self.value


class Scripted(tf.Metric):
    """Gives one value after another."""

    def __init__(self, values: list[float], name: str = "scripted") -> None:
        self.values = values
        super().__init__(name)

    def reset(self) -> None:
        self.value = self.values[0]

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        pass

    def result(self) -> float:
        return self.values[0]


class NextValue(Callback):
    def __init__(self, metric: Scripted) -> None:
        self.metric = metric

    def on_epoch_end(self, training: Any, event: EpochEnd) -> None:
        self.metric.values = self.metric.values[1:]


def best_models(folder: Path, values: list[float], **more: Any) -> list[str]:
    metric = Scripted(values)
    train(
        tf.StandardModel(network()),
        folder,
        train_loader=loader(most=100),
        num_epochs=len(values),
        train_metrics=[metric],
        callbacks=[NextValue(metric)],
        **more,
    )
    return sorted(path.name for path in (folder / "best_models").glob("*"))
