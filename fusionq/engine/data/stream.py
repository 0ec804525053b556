"""Batches out of a data set that can only be iterated: torch's IterableDataset, or anything like it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from fusionq.engine.data.batches import to_device
from fusionq.engine.data.collate import collate
from fusionq.engine.data.host_state import HostState
from fusionq.engine.data.loader_processes import load_in_processes
from fusionq.engine.data.part import WHOLE, Part
from fusionq.engine.data.rows import with_inputs
from fusionq.engine.randomness import derive_seed, seed_host
from fusionq.engine.state.generators import find_generators, seed_generators
from fusionq.engine.state.kinds import has_state_dict
from fusionq.errors import CheckpointError, DataError

Transform = Callable[[Any], Any]


def is_stream(kind: type) -> bool:
    """Whether data sets of a class can only be iterated, again and again."""
    if issubclass(kind, IterableDataset):
        return True
    if issubclass(kind, Iterator | DataLoader):
        return False  # only once, or batches already
    get_item = getattr(kind, "__getitem__", Dataset.__getitem__)  # that of Dataset only raises
    return hasattr(kind, "__iter__") and get_item is Dataset.__getitem__


def no_dataset(kind: type) -> str:
    """Why a class is of neither kind of data set."""
    return (
        f"{kind.__name__} is no data set: it needs a length and items (__len__, __getitem__), or to be "
        "iterable again and again, as a torch IterableDataset"
    )


class Drawn(NamedTuple):
    """A batch, or our part of it, and how many samples it has for all processes together."""

    batch: Any
    length: int
    is_last: bool  # the stream ended while it was drawn


class StreamPass(IterableDataset):
    """Draws the batches of one time through a stream: here, or a copy of it in each loader process.

    What is drawn from random numbers on the way is seeded for each batch.
    """

    def __init__(
        self, dataset: Any, batch_size: int, seed: int, part: Part, make_batch: Transform, drop_last: bool
    ) -> None:
        self._dataset = dataset
        self._batch_size = batch_size
        self._seed = seed
        self._part = part
        self._make_batch = make_batch
        self._drop_last = drop_last
        self._generators = find_generators((dataset, make_batch))
        self.number = 0  # of the pass, from 0
        self.first = 0  # batches that the data set has given already
        self.num_skipped = 0  # batches to draw and not to make

    def __iter__(self) -> Iterator[Drawn]:
        """Raises DataError where it gives no batch at all."""
        worker = get_worker_info()
        host = HostState() if worker is None else None
        samples: Iterator[Any] | None = None
        place = self.first
        while True:
            state = host.read() if host else None
            try:
                self._seed_batch(worker.id if worker else 0, place)
                if samples is None:
                    samples = iter(self._dataset)
                drawn = list(islice(samples, self._batch_size))
                is_over = not drawn or (self._drop_last and len(drawn) < self._batch_size)
                is_skipped = place - self.first < self.num_skipped
                made = None if is_over or is_skipped else self._made(drawn)
            finally:
                if host:
                    host.put_back(state)
            if is_over:
                return
            place += 1
            if made is not None:
                yield made
            if len(drawn) < self._batch_size:
                return

    def _seed_batch(self, worker: int, place: int) -> None:
        seed_host(derive_seed("stream", self._seed, self.number, worker, place))
        seed_generators(self._generators, self._seed, self.number, worker, place)

    def _made(self, drawn: list[Any]) -> Drawn:
        return Drawn(self._make_batch(self._part.of(drawn)), len(drawn), len(drawn) < self._batch_size)


class StreamBatches:
    """Batches out of a stream; an epoch is one time through it, a pass.

    Every process of a job draws all samples and keeps its part of each batch. To begin within a pass, all
    before it is drawn again, unless the data set keeps its own place (`state_dict`, `load_state_dict`).
    Raises DataError where a pass gives no batch.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        device: torch.device,
        *,
        seed: int = 0,
        drop_last: bool = False,
        num_workers: int = 0,
        transform: Transform | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        part: Part = WHOLE,
    ) -> None:
        self._dataset = dataset
        self._device = device
        self._num_workers = num_workers
        self._drop_last = drop_last
        make_batch = MakeBatch(transform, collate_fn or collate)
        self._pass = StreamPass(dataset, batch_size, seed, part, make_batch, drop_last)
        self._given = 0  # batches of this pass
        self._is_over = False  # this pass, as far as the data set knows
        self._length = 0  # of the batch that was given last
        self._at_start: dict[str, Any] | None = None  # plain attributes of the data set before this pass
        self._resumed: tuple[int, int] | None = None  # where the data set stands, if it was put there

    def __len__(self) -> int:
        """Returns 0: nobody knows."""
        return 0

    @property
    def own_place(self) -> Any:
        """The data set, where it keeps its place itself; else None. In loader processes it cannot."""
        return self._dataset if self._num_workers == 0 and has_state_dict(self._dataset) else None

    def whole_length(self, batch: int) -> int:
        """How many samples the batch that was given last holds for all processes together."""
        return self._length

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        is_there = self._resumed == (epoch, start)
        self._resumed = None
        if not is_there:
            if epoch == self._pass.number:
                _set_attributes(self._dataset, self._at_start)
            self._begin(epoch)
        elif self._is_over:
            return
        self._given, self._pass.number, self._is_over = start, epoch, False
        self._pass.first, skipped = (start, 0) if is_there else (0, start)
        for drawn in self._drawn(skipped):
            self._given += 1
            self._length, self._is_over = drawn.length, drawn.is_last
            yield to_device(drawn.batch, self._device)
        self._is_over = True
        if self._given == 0:
            short = " of data.batch_size samples, and data.drop_last is true" if self._drop_last else ""
            raise DataError(f"{type(self._dataset).__name__} yields no batch{short}")

    def _begin(self, number: int) -> None:
        """Tell the data set which pass it is, and note what it is then."""
        self._at_start = _plain_attributes(self._dataset)
        self._tell_pass(number)

    def _tell_pass(self, number: int) -> None:
        if hasattr(self._dataset, "set_epoch"):
            self._dataset.set_epoch(number)

    def _drawn(self, skipped: int) -> Iterator[Drawn]:
        if not self._num_workers:
            self._pass.num_skipped = skipped
            return iter(self._pass)
        loaded = load_in_processes(self._pass, self._num_workers, self._device, collate_fn=_as_it_is)
        # Which process gave a batch shows only in the order of all, so those before are made, too.
        return islice(loaded, skipped, None)

    def example(self) -> Any:
        """A batch such as it gives; what has been drawn stays as it is. None where it gives none."""
        one = copy.copy(self._pass)
        one._dataset = copy.copy(self._dataset)
        one.number = one.first = one.num_skipped = 0
        drawn = next(iter(one), None)
        return None if drawn is None else to_device(drawn.batch, self._device)

    def state_dict(self) -> dict[str, Any]:
        return {
            "pass": self._pass.number,
            "given": self._given,
            "is_over": self._is_over,
            "num_workers": self._num_workers,
            "at_start": self._at_start,
            "now": _plain_attributes(self._dataset),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state; whoever calls this puts back `own_place` afterwards.

        Raises CheckpointError where other batches would come.
        """
        if state["num_workers"] != self._num_workers:
            raise CheckpointError(
                f"the checkpoint is of a stream with data.num_workers: {state['num_workers']}, and now there "
                f"are {self._num_workers}, which give its samples in another order"
            )
        self._pass.number, self._given, self._is_over = state["pass"], state["given"], state["is_over"]
        self._at_start = state["at_start"]
        _set_attributes(self._dataset, state["now"])
        if self.own_place is not None and self._at_start is not None:
            self._tell_pass(self._pass.number)
            self._resumed = self._pass.number, self._given


class MakeBatch:
    """Makes a batch of samples; a class, for it goes to loader processes."""

    def __init__(self, transform: Transform | None, collate_fn: Callable[[list[Any]], Any]) -> None:
        self._transform = transform
        self._collate_fn = collate_fn

    def __call__(self, samples: list[Any]) -> Any:
        if self._transform is not None:
            samples = [with_inputs(sample, self._transform) for sample in samples]
        return self._collate_fn(samples)


def _as_it_is(drawn: Drawn) -> Drawn:
    return drawn


def _set_attributes(dataset: Any, values: dict[str, Any] | None) -> None:
    for key, value in (values or {}).items():
        setattr(dataset, key, value)


def _plain_attributes(dataset: Any) -> dict[str, Any]:
    """The numbers and texts that a data set keeps, such as a count of how often it was begun."""
    found = getattr(dataset, "__dict__", {})
    return {key: value for key, value in found.items() if type(value) in (int, float, bool, str, type(None))}
