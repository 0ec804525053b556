"""Sums of device scalars that do not stop the device for every batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fusionq.errors import HookError


class Accumulator:
    """A weighted sum of scalars that stay on their device until somebody reads it.

    The values are added one after another in double precision, so the sum does not depend on when it was
    read: a run that was stopped and resumed comes to the same bits as one that was not.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._pending: list[Tensor] = []
        self._weights: list[float] = []
        self._total = 0.0
        self._count = 0
        self._first_non_finite: int | None = None

    def add(self, value: Tensor, weight: float = 1.0) -> None:
        """Add `weight * value`; `value` is a tensor with one element, on any device."""
        self._pending.append(value.detach())
        self._weights.append(weight)

    def total(self) -> float:
        """The sum so far. Waits for the device."""
        self._read()
        return self._total

    def first_non_finite(self) -> int | None:
        """The number (from 0) of the first value that was infinite or not a number."""
        self._read()
        return self._first_non_finite

    def state_dict(self) -> dict[str, Any]:
        self._read()
        return {"total": self._total, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.reset()
        self._total, self._count = state["total"], state["count"]

    def _read(self) -> None:
        if not self._pending:
            return
        values = torch.stack([value.reshape(()) for value in self._pending]).tolist()
        for value, weight in zip(values, self._weights, strict=True):
            if self._first_non_finite is None and not _is_finite(value):
                self._first_non_finite = self._count
            self._total += weight * value
            self._count += 1
        self._pending, self._weights = [], []


class RunningLoss(Accumulator):
    """What a trainer's hook adds its loss to: `running_loss.add_(loss, weight=number_of_samples)`.

    The graph behind the loss is let go at once, so code that does not detach does not grow memory.
    """

    def reset(self) -> None:
        super().reset()
        self.samples = 0.0  # over which the sum is
        self._told = 0.0  # in the batch that is not counted yet
        self._was_added = False

    def add_(self, value: Tensor, weight: float | None = None) -> RunningLoss:
        """Add the loss of a batch: a tensor with one element.

        With `weight` it is a mean over so many samples. Without, as in `add_(loss * len(inputs))`, it is the
        sum over the samples of the batch, whose number is then taken from the batch.
        """
        self._was_added = True
        self._told += weight or 0.0
        self.add(value, 1.0 if weight is None else weight)
        return self

    def count_batch(self, samples: int | None) -> float:
        """A batch is over, of so many samples as far as it shows; how many, if the trainer did not say else.

        Raises HookError where neither the trainer nor the batch says it.
        """
        if samples is None and self._was_added and not self._told:
            raise HookError(
                "how many samples a batch holds cannot be told from it; say it: "
                "running_loss.add_(loss, weight=number_of_samples)"
            )
        counted = self._told or samples or 0
        self.samples += counted if self._was_added else 0
        self._told, self._was_added = 0.0, False
        return counted

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "samples": self.samples}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.samples = state["samples"]


def _is_finite(value: float) -> bool:
    return value - value == 0.0
