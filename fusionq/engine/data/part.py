"""The part of every batch that one of several processes takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

Some = TypeVar("Some", Tensor, list)


@dataclass(frozen=True)
class Part:
    """Part `index` (from 0) of `count`. The parts of a batch are of one size, or the first are larger by one.

    Together they are the batch, so how many processes train does not change what a step sees.
    """

    index: int = 0
    count: int = 1

    def length(self, whole: int) -> int:
        """How many samples of a batch of `whole` are ours; 0 where it has fewer than there are parts."""
        return whole // self.count + (self.index < whole % self.count)

    def first(self, whole: int) -> int:
        """Where our samples begin in a batch of `whole`."""
        size, more = divmod(whole, self.count)
        return self.index * size + min(self.index, more)

    def of(self, batch: Some) -> Some:
        """Our samples. Where none is ours, all of them: they are gone through and count for nothing.

        For all processes must take the same steps.
        """
        if self.count == 1:
            return batch
        first = self.first(len(batch))
        length = self.length(len(batch))
        return batch[first : first + length] if length else batch


WHOLE = Part()
