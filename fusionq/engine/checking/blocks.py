"""Every `_target_` block of a job, with its place and with what the engine adds to its arguments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fusionq.spec.job import JobSpec, Target
from fusionq.spec.kinds import DATA_OF_SAMPLER
from fusionq.spec.reader import Path_
from fusionq.spec.targets import ARGS, TARGET, without_loading

DATA_KEYS = ("train", "val", "test")


@dataclass(frozen=True)
class Block:
    """`given` is how many positional arguments the engine passes before the block's own.

    `given_to_all` is the name of one that it passes to those blocks among the arguments that take it, too;
    `given_by_name` are names of which it passes the first that the target takes.
    """

    place: Path_
    data: Target
    given: int = 0
    given_to_all: str = ""
    given_by_name: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.data[TARGET]


def model_block(spec: JobSpec) -> Target | None:
    """The model without what says of its weights, which is for the engine alone.

    None where another job's model is meant whole.
    """
    block = without_loading(spec.model)
    return block if TARGET in block else None


def blocks_of(spec: JobSpec) -> Iterator[Block]:
    """The blocks in the order of the file, each before those among its arguments."""
    for block in _outer(spec):
        yield block
        yield from _inner(block.data, block.place, block.given_to_all)


def _outer(spec: JobSpec) -> Iterator[Block]:
    model = model_block(spec)
    if model is not None:
        yield Block(("model",), model)
    yield Block(("trainer",), spec.trainer, given=1)
    for key in DATA_KEYS:
        if block := getattr(spec.data, key):
            yield Block(("data", key), block)
    if spec.data.sampler:
        yield Block(("data", "sampler"), spec.data.sampler, given_by_name=DATA_OF_SAMPLER)
    for key in ("augment", "transform"):
        yield from _listed(("data", key), getattr(spec.data, key))
    for key, given, given_to_all in (("loss", 0, ""), ("optimizer", 1, ""), ("lr_scheduler", 1, "optimizer")):
        if block := getattr(spec, key):
            yield Block((key,), block, given, given_to_all)
    for key in DATA_KEYS:
        yield from _listed(("metrics", key), map(_metric, getattr(spec.metrics, key) or []))
    yield from _listed(("callbacks",), spec.callbacks)


def _listed(place: Path_, blocks: Any) -> Iterator[Block]:
    return (Block((*place, i), block) for i, block in enumerate(blocks))


def _metric(block: Target) -> Target:
    """The engine takes the name of a torchmetrics metric for itself."""
    if not block[TARGET].startswith("torchmetrics."):
        return block
    return {key: value for key, value in block.items() if key != "name"}


def _inner(value: Any, place: Path_, given_to_all: str) -> Iterator[Block]:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if not isinstance(item, dict | list):
            continue
        if isinstance(item, dict) and TARGET in item:
            yield Block((*place, key), item, 0, given_to_all)
        yield from _inner(item, (*place, key), given_to_all)


def arguments_of(block: Target) -> tuple[list[Any], dict[str, Any]]:
    """A block's own arguments, positional and by keyword."""
    return list(block.get(ARGS, ())), {k: v for k, v in block.items() if k not in (TARGET, ARGS)}
