"""One training in several processes: what a process does with the others, and what it does alone.

Every process (a rank, counted from 0) has the whole model and its part of every batch. Gradients are joined,
weighted by the samples of each part, by torch's DistributedDataParallel, or by `gradients` where that cannot;
sums of losses and metrics, and what is decided by a clock or a signal, are agreed on, so that all take the
same steps. Rank 0 speaks and writes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from fusionq.engine.data.batches import Batches, to_device
from fusionq.engine.data.part import WHOLE, Part
from fusionq.engine.data.sample_count import batch_length
from fusionq.engine.gradients import SharedGradients, broadcast, check_same, tensors_of
from fusionq.engine.metrics import Metric
from fusionq.engine.shared_model import called_through
from fusionq.errors import DataError


class Agreement:
    """Questions that all processes of a training answer alike, each time they are asked."""

    def on(self, *asked: bool) -> tuple[bool, ...]:
        """Which of these anybody asks for. All must call it at the same point.

        In several processes the answer is to what was asked the time before, so that nobody waits for it.
        """
        return asked


@dataclass(frozen=True)
class Owned:
    """Modules and optimizers that a trainer made itself, by their names in it."""

    modules: Mapping[str, nn.Module] = field(default_factory=dict)
    optimizers: Mapping[str, Optimizer] = field(default_factory=dict)


NOTHING_OWNED = Owned()


class Ranks:
    """A training in one process: it agrees with itself. The base of those in several."""

    part: Part = WHOLE

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that speaks and writes."""
        return self.part.index == 0

    @property
    def is_alone(self) -> bool:
        return self.part.count == 1

    @contextmanager
    def sharing(self, model: nn.Module, optimizer: Optimizer, own: Owned = NOTHING_OWNED) -> Iterator[None]:
        """While it lasts, all have the same gradients after every backward pass; and the same weights.

        `own` is what the trainer has beside the model and its optimizer.
        """
        yield

    def check_same(self, weights: Mapping[str, Sequence[Tensor]]) -> None:
        """Raises HookError where the weights are not the same in all. All must call it."""

    def begin_batch(self, batches: Batches, number: int, batch: Any) -> tuple[int | None, int | None]:
        """How many samples of this batch are ours, and how many it has in all; None if unknown."""
        length = self.samples_in(batches, number, batch)
        return length, length

    def samples_in(self, batches: Batches, number: int, batch: Any) -> int | None:
        """How many samples of this batch are ours; None where nothing tells it."""
        try:
            return batch_length(batch, batches.whole_length(number))
        except DataError:
            return None

    def weigh(self, samples: float) -> float:
        """Count our part of the present batch as so many samples; returns how many it has in all.

        All must call it, before they compute gradients.
        """
        return samples

    def end_batch(self) -> None:
        """The trainer is done with a batch."""

    def has_part_in(self, batches: Batches, number: int) -> bool:
        """Whether samples of this batch are ours."""
        return True

    def agreement(self) -> Agreement:
        """What is asked for at one place of the loop, by anybody."""
        return Agreement()

    def result(self, metric: Metric) -> float:
        """The value over everything that all have seen; all must call it."""
        return metric.result()

    def sums(self, values: Sequence[float]) -> list[float]:
        """Each value summed over all; all must call it. The same bits everywhere."""
        return list(values)

    def first_of(self, number: int | None) -> int | None:
        """The smallest number that any has; None where none has one. All must call it."""
        return number

    def from_first(self, read: Callable[[], Any]) -> Any:
        """What rank 0 reads, for all of them; all must call it."""
        return read()

    def collect(self, state: Any) -> list[Any]:
        """What each rank has, by rank, on rank 0; elsewhere []. All must call it."""
        return [state]


ALONE = Ranks()


class Group(Ranks):
    """One of several processes that torch.distributed has joined already (`init_process_group`)."""

    def __init__(self) -> None:
        self.part = Part(dist.get_rank(), dist.get_world_size())
        # What is agreed on lies on the host, and must not wait for what the GPUs exchange.
        self._host = dist.new_group(backend="gloo")
        # Where processes differ in what they do, a message of one kind must not be taken for another.
        self._for_gradients = dist.new_group(backend="gloo")
        self._gradients = SharedGradients((), self._for_gradients)
        self._has_own_steps = False  # and may so step differently often than others
        self._has_samples = True  # of the present batch
        self._buffers: list[Tensor] = []  # that nobody else keeps the same

    @contextmanager
    def sharing(self, model: nn.Module, optimizer: Optimizer, own: Owned = NOTHING_OWNED) -> Iterator[None]:
        optimizers = (optimizer, *own.optimizers.values())
        stepped = [p for one in optimizers for group in one.param_groups for p in group["params"]]
        modules = (model, *own.modules.values())
        parameters = _each_once([*tensors_of(modules, buffers=False), *stepped])
        broadcast([*parameters, *tensors_of(modules, buffers=True)], self._host)
        self._gradients = SharedGradients(parameters, self._for_gradients)
        self._has_own_steps = bool(own.optimizers)
        with self._gradients.attached(), self._reduced_early(model, own):
            yield

    @contextmanager
    def _reduced_early(self, model: nn.Module, own: Owned) -> Iterator[None]:
        """Join gradients while the backward pass goes on, where all parameters take part in every one.

        A trainer with optimizers of its own steps parts of the model, each after a pass of its own.
        """
        if own.optimizers or not any(parameter.requires_grad for parameter in model.parameters()):
            self._buffers = tensors_of((model, *own.modules.values()), buffers=True)
            yield
            return
        self._buffers = tensors_of(own.modules.values(), buffers=True)
        shared = DistributedDataParallel(model)
        shared.register_comm_hook(None, self._join)
        with called_through(shared, model):
            yield

    def check_same(self, weights: Mapping[str, Sequence[Tensor]]) -> None:
        check_same(weights, self._host)

    def begin_batch(self, batches: Batches, number: int, batch: Any) -> tuple[int, int]:
        whole = _whole_length(batches, number)
        ours = self.part.length(whole)
        self._has_samples = ours > 0
        self._gradients.begin_batch(ours / whole)
        broadcast(self._buffers, self._host)
        return ours, whole

    def weigh(self, samples: float) -> float:
        return self._gradients.weigh(samples if self._has_samples else 0.0)

    def samples_in(self, batches: Batches, number: int, batch: Any) -> int:
        return self.part.length(_whole_length(batches, number))

    def end_batch(self) -> None:
        if self._has_own_steps:
            self._gradients.end_batch()

    def has_part_in(self, batches: Batches, number: int) -> bool:
        return self.part.length(_whole_length(batches, number)) > 0

    def agreement(self) -> Agreement:
        return _Delayed(self._host)

    def result(self, metric: Metric) -> float:
        if sums := metric.sums():
            return metric.result_of(self.sums(sums))
        value = float(metric.result())
        is_known = not math.isnan(value)
        total, number = self.sums([value if is_known else 0.0, is_known])
        return total / number if number else math.nan

    def sums(self, values: Sequence[float]) -> list[float]:
        summed = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(summed, group=self._host)
        return summed.tolist()

    def first_of(self, number: int | None) -> int | None:
        none = torch.iinfo(torch.int64).max
        first = torch.tensor(none if number is None else number)
        dist.all_reduce(first, dist.ReduceOp.MIN, group=self._host)
        return None if first.item() == none else int(first.item())

    def from_first(self, read: Callable[[], Any]) -> Any:
        found = [read() if self.is_first else None]
        dist.broadcast_object_list(found, src=0, group=self._host)
        return found[0]

    def collect(self, state: Any) -> list[Any]:
        collected = [None] * self.part.count if self.is_first else None
        dist.gather_object(to_device(state, torch.device("cpu")), collected, group=self._host)
        return collected or []

    # --- the gradients -------------------------------------------------------------------------------

    # Without annotations, for torch compares them, and ours are texts.
    def _join(self, state, bucket):
        """Instead of their plain mean: by samples, for the parts of a batch may differ by one."""
        self._gradients.mark_joined(bucket.parameters())
        gradients = bucket.buffer().mul_(self._gradients.weight)
        return dist.all_reduce(gradients, async_op=True).get_future().then(lambda done: done.value()[0])


def _whole_length(batches: Batches, number: int) -> int:
    length = batches.whole_length(number)
    assert length is not None, "a job of several processes makes its batches itself"
    return length


def _each_once(tensors: Iterable[Tensor]) -> list[Tensor]:
    return list({id(tensor): tensor for tensor in tensors}.values())


class _Delayed(Agreement):
    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group = group
        self._asked: tuple[dist.Work, Tensor] | None = None

    def on(self, *asked: bool) -> tuple[bool, ...]:
        heard = self._heard() or (False,) * len(asked)
        flags = torch.tensor(asked, dtype=torch.uint8)
        self._asked = dist.all_reduce(flags, dist.ReduceOp.MAX, group=self._group, async_op=True), flags
        return heard

    def _heard(self) -> tuple[bool, ...]:
        if self._asked is None:
            return ()
        work, flags = self._asked
        work.wait()
        return tuple(map(bool, flags.tolist()))
