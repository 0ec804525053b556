"""Metrics: update with every batch, result at the end of an epoch, reset before the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from fusionq.engine.accumulator import Accumulator
from fusionq.engine.state.kinds import keeps_nothing
from fusionq.errors import MetricError


class Metric:
    """Base class of your own metric: implement `reset`, `update` and `result`.

    `higher_is_better` decides which epoch is the best where this metric is monitored. A job that is resumed
    in the middle of an epoch finds the metric's attributes as they were; where that is not enough, override
    `state_dict` and `load_state_dict`.
    """

    higher_is_better = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.reset()

    def reset(self) -> None:
        """Forget everything; called before every epoch."""
        raise NotImplementedError

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take in one batch. It should not read a value from the device."""
        raise NotImplementedError

    def result(self) -> float:
        """The value over everything since `reset`."""
        raise NotImplementedError

    def sums(self) -> Sequence[float]:
        """Numbers that add up over the processes of a job, and from which `result_of` makes the value.

        Without them, a job of several processes shows the mean of their results.
        """
        return ()

    def result_of(self, sums: Sequence[float]) -> float:
        """The value, from `sums` that were added up over all processes."""
        raise NotImplementedError

    def getValue(self) -> float:
        """`result` under the name that TorchFusion gave it."""
        return self.result()

    @keeps_nothing
    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class _Mean(Metric):
    """A metric that is a sum over samples or elements, divided by their number."""

    def reset(self) -> None:
        self._sum = Accumulator()
        self._number = 0

    def result(self) -> float:
        """The mean; not a number where no batch was seen."""
        return self.result_of(self.sums())

    def sums(self) -> tuple[float, float]:
        return self._sum.total(), self._number

    def result_of(self, sums: Sequence[float]) -> float:
        total, number = sums
        return total / number if number else float("nan")

    def state_dict(self) -> dict[str, Any]:
        return {"sum": self._sum.state_dict(), "number": self._number}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._sum.load_state_dict(state["sum"])
        self._number = state["number"]


class Accuracy(_Mean):
    """The share of samples whose class is among the `topK` highest scores, from 0 to 1.

    `outputs` are scores of shape (N, classes, *), `targets` class numbers of shape (N, *).
    """

    def __init__(self, name: str | None = None, topK: int = 1) -> None:
        if topK < 1:
            raise MetricError(f"topK is a number of classes from 1, not {topK}")
        self.topK = topK
        super().__init__(name or ("Accuracy" if topK == 1 else f"Top {topK} Accuracy"))

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Raises MetricError where the shapes do not fit."""
        if outputs.dim() < 2 or outputs.shape[:1] + outputs.shape[2:] != targets.shape:
            raise MetricError(
                f"{self.name} needs scores of shape (N, classes) and class numbers of shape (N,); "
                f"it got {tuple(outputs.shape)} and {tuple(targets.shape)}"
            )
        if self.topK == 1:
            hits = outputs.argmax(1).eq(targets)
        else:
            best = outputs.topk(min(self.topK, outputs.shape[1]), dim=1).indices
            hits = best.eq(targets.unsqueeze(1))
        self._sum.add(hits.sum())
        self._number += targets.numel()


class MSE(_Mean):
    """The mean of the squared differences of `outputs` and `targets`, of the same shape."""

    higher_is_better = False

    def __init__(self, name: str = "MSE") -> None:
        super().__init__(name)

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Raises MetricError where the shapes differ."""
        if outputs.shape != targets.shape:
            raise MetricError(
                f"{self.name} needs outputs and targets of one shape; "
                f"it got {tuple(outputs.shape)} and {tuple(targets.shape)}"
            )
        self._sum.add((outputs - targets).square().sum())
        self._number += targets.numel()
