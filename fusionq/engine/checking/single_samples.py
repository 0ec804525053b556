"""Whether a training comes to a batch of one sample, which batch norm cannot train on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fusionq.engine.data.part import Part
from fusionq.engine.data.split import num_to_train
from fusionq.spec.job import JobSpec


@dataclass(frozen=True)
class SingleSample:
    """Where one sample is all that a process gets, and what the user can do about it."""

    words: str
    remedy: str


def find_single_sample(spec: JobSpec, num_samples: int | None) -> SingleSample | None:
    """The first batch of an epoch that leaves a process one sample; None where none does or nobody can tell.

    `num_samples` is how many `data.train` has.
    """
    if num_samples is None or spec.data.sampler is not None or spec.train.sync_batch_norm:
        return None
    num_train = num_to_train(num_samples, spec.data.val_fraction)
    size, count = spec.data.batch_size, _num_processes(spec)
    for length, is_last in _lengths(num_train, size, spec.data.drop_last):
        if is_last and not _comes_to_last(spec, num_train // size):
            break
        parts = [Part(index, count).length(length) for index in range(count)]
        if 1 in parts or (length == 1 and count > 1):
            whole = f"the last batch of an epoch has {length}" if is_last else f"a batch has {length}"
            samples = "sample" if length == 1 else "samples"
            each = f" for {count} processes" if count > 1 else ""
            words = f"{whole} {samples}{each} ({num_train:,} samples in batches of {size})"
            remedy = "data.drop_last: true leaves it out" if is_last else "take a larger data.batch_size"
            return SingleSample(words, remedy)
    return None


def _comes_to_last(spec: JobSpec, num_before: int) -> bool:
    """Whether the training goes on beyond so many batches."""
    steps = spec.train.steps_per_epoch
    return steps is None or steps * spec.train.epochs > num_before


def _lengths(num_samples: int, batch_size: int, drop_last: bool) -> Iterator[tuple[int, bool]]:
    """The lengths of batches that an epoch has, and whether only its last is so long."""
    whole, rest = divmod(num_samples, batch_size)
    if whole:
        yield batch_size, False
    if rest and not drop_last:
        yield rest, True


def _num_processes(spec: JobSpec) -> int:
    """How many train together at least; more where `auto` finds more GPUs than one."""
    gpus = spec.resources.gpus_to_get()
    return spec.resources.num_processes(gpus if isinstance(gpus, int) else 1) * spec.resources.nodes
