"""Going once over data to measure a model on it: after every epoch of a training, or on its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from fusionq.engine.accumulator import RunningLoss
from fusionq.engine.data.batches import Batches
from fusionq.engine.eval_hook import call_eval_hook, measures_loss, no_loss
from fusionq.engine.history import Measured, keys_of
from fusionq.engine.metrics import Metric
from fusionq.engine.ranks import ALONE, Ranks
from fusionq.engine.state.kinds import has_state_dict
from fusionq.engine.stopping import StopToken
from fusionq.errors import MetricError
from fusionq.spec.metric_keys import TRAIN, loss_key

if TYPE_CHECKING:
    from fusionq.engine.base_model import BaseModel

LossFunction = Callable[..., torch.Tensor]


class Testing:
    """Data to measure on, and what is measured there; `phase` is val or test."""

    def __init__(self, phase: str, batches: Batches, metrics: Sequence[Metric]) -> None:
        self.phase = phase
        self.batches = batches
        self.metric_list = list(metrics)
        # Whether a loss is measured beside them is known once there is a trainer: see `measured`.
        self.metrics = dict(zip(keys_of(phase, metrics, has_loss=False), metrics, strict=True))


def measured(
    trainer: BaseModel, loss_fn: LossFunction, train_metrics: Sequence[Metric], tests: Sequence[Testing]
) -> list[Measured]:
    """What is measured in training and on the data of each test. Raises MetricError for the loss's name."""
    has_loss = measures_loss(type(trainer), loss_fn is not no_loss)
    for test in tests:
        keys_of(test.phase, test.metric_list, has_loss=has_loss)
    by_key = dict(zip(keys_of(TRAIN, train_metrics), train_metrics, strict=True))
    return [*(Measured(test.phase, test.metrics, has_loss) for test in tests), Measured(TRAIN, by_key)]


class Evaluation:
    """`run` it, or `begin` it and `add` each batch, then read the `values`.

    Who calls `add` puts the model into eval mode, lets no gradients be computed, and may stop after any
    batch: its state says how to go on there.
    """

    def __init__(
        self, trainer: BaseModel, test: Testing, loss_fn: LossFunction | None, ranks: Ranks = ALONE
    ) -> None:
        self.phase = test.phase
        self.batches = test.batches
        self.metrics = test.metrics
        self.metric_list = test.metric_list
        self.batch = 0  # batches that were measured
        self.has_loss = measures_loss(type(trainer), loss_fn is not None and loss_fn is not no_loss)
        self._trainer = trainer
        self._loss_fn = loss_fn
        self._ranks = ranks
        self._running_loss = RunningLoss()

    def begin(self) -> None:
        """Forget what was measured before."""
        self.batch = 0
        self._running_loss.reset()
        for metric in self.metric_list:
            metric.reset()

    def run(self, stop: StopToken | None = None) -> bool:
        """Go through all the data, the model in eval mode. False where it was stopped."""
        self.begin()
        self._trainer.model.eval()
        with torch.no_grad():
            for number, batch in enumerate(self.batches.epoch(0)):
                self.add(batch, number)
                if stop is not None and stop.requested:
                    return False
        return True

    def add(self, batch: Any, number: int) -> None:
        """Measure on batch `number` of the data."""
        if self._ranks.has_part_in(self.batches, number):
            call_eval_hook(self._trainer, batch, self.metric_list, self._loss_fn, self._running_loss)
            if self.has_loss:
                self._running_loss.count_batch(self._ranks.samples_in(self.batches, number, batch))
        self.batch = number + 1

    def loss(self) -> float:
        """The mean over all samples so far; not a number without any. All ranks must call it."""
        return mean_of(self._running_loss, self._ranks)

    def values(self) -> dict[str, float]:
        """The loss, where it is measured, and each metric by its key. All ranks must call it."""
        loss = {loss_key(self.phase): self.loss()} if self.has_loss else {}
        return {**loss, **results_of(self.metrics, self._ranks)}

    def state_dict(self) -> dict[str, Any]:
        return {
            "keys": list(self.metrics),
            "batch": self.batch,
            "running_loss": self._running_loss.state_dict(),
            "metrics": {key: metric.state_dict() for key, metric in stateful(self.metrics).items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was left; from the beginning where other metrics are measured now."""
        if state["keys"] != list(self.metrics):
            return
        self.batch = state["batch"]
        self._running_loss.load_state_dict(state["running_loss"])
        for key, metric in stateful(self.metrics).items():
            metric.load_state_dict(state["metrics"][key])


def stateful(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """Those metrics that say themselves what their state is."""
    return {key: metric for key, metric in metrics.items() if has_state_dict(metric)}


def mean_of(running_loss: RunningLoss, ranks: Ranks) -> float:
    """The mean loss over the samples of all ranks; not a number without any. All ranks must call it."""
    total, samples = ranks.sums([running_loss.total(), running_loss.samples])
    return total / samples if samples else math.nan


def results_of(metrics: Mapping[str, Metric], ranks: Ranks) -> dict[str, float]:
    """The values of metrics over all ranks, which must all call it. Raises MetricError for no number."""
    values = {}
    for key, metric in metrics.items():
        value = ranks.result(metric)
        try:
            values[key] = float(value)
        except OverflowError:  # a whole number with more than 300 digits
            values[key] = math.inf
        except (TypeError, ValueError, RuntimeError):
            raise MetricError(
                f"the metric {metric.name!r} gave {value!r}; its result must be one number"
            ) from None
    return values
