"""Where data comes from: the disk, else a download, else the job's `offline:` data set. Never silently."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from fusionq.engine.build import build, build_arguments, call, find_target
from fusionq.engine.data.digits import Digits
from fusionq.engine.randomness import derive_seed, seed_host
from fusionq.errors import DataError, TargetError
from fusionq.spec.job import DataSection
from fusionq.spec.printable import one_line, text_of
from fusionq.spec.settings import ENV_DATA
from fusionq.spec.targets import TARGET

Block = Mapping[str, Any]

_NOT_THERE = (RuntimeError, FileNotFoundError)
"""torchvision's ways to say that the files of a data set are not there."""


@dataclass(frozen=True)
class Datasets:
    """The opened data sets. `note` says, in words for the user, what was replaced."""

    train: Dataset | None
    val: Dataset | None
    test: Dataset | None
    note: str = ""


class _NotToBeHadError(Exception):
    """A data set is neither on disk nor to be downloaded; the message says why."""


def open_datasets(
    section: DataSection,
    data_root: Path | None,
    warn: Callable[[str], None],
    *,
    seed: int = 0,
    opened: Mapping[str, Dataset] | None = None,
) -> Datasets:
    """Open what `data.train`, `.val` and `.test` name, without transforms. Raises DataError, TargetError.

    Those in `opened` are open already; what they drew from the random numbers came from `seed` then, too.
    """
    blocks = {"train": section.train, "val": section.val, "test": section.test}
    found: dict[str, Dataset | None] = dict.fromkeys(blocks) | dict(opened or {})
    try:
        for key, block in blocks.items():
            if block and found[key] is None:
                found[key] = _open(block, f"data.{key}", data_root, seed)
        return Datasets(**found)
    except _NotToBeHadError as reason:
        if section.offline is None:
            raise DataError(f"{reason}, or give `data.offline: digits`") from reason.__cause__
        note = f"{reason}. TRAINING ON scikit-learn's digits INSTEAD, as `data.offline` says"
        warn(note)
        replaced = {key: Digits(train=key == "train") if b else None for key, b in blocks.items()}
        return Datasets(**replaced, note=note)


def open_present(block: Block, place: str, data_root: Path | None, seed: int) -> Dataset | None:
    """The data set as it is on this machine, or None where it would have to be downloaded first."""
    seed_host(derive_seed(place, seed))
    if "download" not in block or "root" not in block:
        return _build(block, place)
    for root in _roots(block, data_root):
        try:
            return _construct(block, place, root, download=False)
        except _NOT_THERE:
            continue
    return None


def _build(block: Block, place: str) -> Dataset:
    """Raises TargetError, and DataError where it was found but its files were not, or were wrong."""
    try:
        return build(block, place)
    except TargetError as error:
        if isinstance(error.__cause__, OSError):
            raise DataError(str(error)) from error.__cause__
        raise


def _roots(block: Block, data_root: Path | None) -> list[Path]:
    return [Path(block["root"]), *([data_root] if data_root else [])]


def _open(block: Block, place: str, data_root: Path | None, seed: int) -> Dataset:
    present = open_present(block, place, data_root, seed)
    if present is not None:
        return present
    roots = _roots(block, data_root)
    name = block[TARGET].rpartition(".")[2]
    looked = " nor ".join(str(root.absolute()) for root in roots)
    advice = f"put its files there, or name the folder that holds them in {ENV_DATA}"
    if not block["download"]:
        raise _NotToBeHadError(f"{place}: {name} is not in {looked}; {advice}")
    try:
        return _download(block, place, data_root or roots[0])
    except Exception as error:
        cause = one_line(text_of(error), 200) or type(error).__name__
        raise _NotToBeHadError(
            f"{place}: {name} is not in {looked} and cannot be downloaded ({cause}); {advice}"
        ) from error


def _construct(block: Block, place: str, root: Path, *, download: bool) -> Dataset:
    args, kwargs = build_arguments(block, place)
    kwargs = {**kwargs, "root": str(root), "download": download}
    return call(find_target(block[TARGET], place), place, args, kwargs, let_pass=_NOT_THERE)


def _download(block: Block, place: str, root: Path) -> Dataset:
    with _locked(root):
        return _construct(block, place, root, download=True)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Jobs that start together must not write the same files at once."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".download.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
