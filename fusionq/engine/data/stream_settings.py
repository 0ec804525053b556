"""Settings of a job that mean nothing for a stream to train on."""

from __future__ import annotations

from collections.abc import Iterator

from fusionq.spec.job import JobSpec
from fusionq.spec.units import Interval


def stream_mistakes(spec: JobSpec, name: str) -> Iterator[tuple[tuple[str, str], str]]:
    """The keys that cannot hold where `data.train` is a stream called `name`, and why."""
    why = f"{name} can only be iterated"
    if spec.data.shuffle:
        yield ("data", "shuffle"), f"data.shuffle: {why}, in its own order; shuffle in its __iter__"
    if spec.data.sampler is not None:
        yield ("data", "sampler"), f"data.sampler: {why}, so nothing can choose its samples; leave it out"
    if spec.data.val_fraction is not None:
        yield ("data", "val_fraction"), f"data.val_fraction: {why}, and has no length; give data.val instead"
    if spec.train.steps_per_epoch is None and Interval.parse(spec.train.warmup or "1ba").epochs:
        yield (
            ("train", "warmup"),
            f"train.warmup: {why}, so an epoch has no length; say batches, such as 500ba, or add "
            "train.steps_per_epoch",
        )
