"""Epochs of a given number of batches, whatever the length of the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fusionq.engine.data.batches import Batches
from fusionq.errors import DataError

_END = object()


class SteppedBatches:
    """Batches of which `num_steps` are an epoch: epochs go on through the data, and begin it anew at its end.

    One time through the data is a pass; its order is that of an epoch of `inner` with the number of the pass.
    The iterator of a pass is kept between epochs, so a short epoch costs no new start of the data.
    """

    def __init__(self, inner: Batches, num_steps: int) -> None:
        self.inner = inner
        self._num_steps = num_steps
        self._iterator: Iterator[Any] = iter(())
        self._position: int | None = None  # batches since the beginning of the first epoch
        self._pass = 0
        self._in_pass = 0  # batches that were given in this pass
        self._loaded: dict[str, int] | None = None

    def __len__(self) -> int:
        return self._num_steps

    def whole_length(self, batch: int) -> int | None:
        """How many samples the batch that was given last holds for all processes together."""
        return self.inner.whole_length(self._in_pass - 1)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        for position in range(epoch * self._num_steps + start, (epoch + 1) * self._num_steps):
            if self._position != position:
                self._go_to(position)
            self._position = None  # nowhere, if drawing fails
            batch = self._draw()
            self._position = position + 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Returns the place of the next batch, which the data alone cannot tell where it has no length."""
        if self._position is None:
            return self._loaded or {}
        return {"position": self._position, "pass": self._pass, "in_pass": self._in_pass}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self._loaded = state or None
        self._position = None

    def close(self) -> None:
        """End the pass, and the loader processes that it keeps."""
        self._iterator = iter(())
        self._position = None

    def _go_to(self, position: int) -> None:
        if self._loaded and self._loaded["position"] == position:
            self._begin(self._loaded["pass"], self._loaded["in_pass"])
        elif length := len(self.inner):
            self._begin(*divmod(position, length))
        else:
            self._begin(0, 0)
            for _ in range(position):
                self._draw()

    def _begin(self, number: int, start: int = 0) -> None:
        self._pass, self._in_pass = number, start
        self._iterator = self.inner.epoch(number, start)

    def _draw(self) -> Any:
        batch = next(self._iterator, _END)
        if batch is _END:
            if self._in_pass == 0:
                raise DataError("the training data yields no batch when it is begun anew")
            self._begin(self._pass + 1)
            return self._draw()
        self._in_pass += 1
        return batch
