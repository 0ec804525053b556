"""What a job is frozen with when it is submitted: the user's code, and where that stands in git."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from fusionq.errors import BlobGoneError
from fusionq.queue import code_archives, git
from fusionq.queue.parents import Parents
from fusionq.queue.snapshot import Snapshot, take
from fusionq.spec.job import CodeSection, JobSpec
from fusionq.spec.own_modules import is_in, modules_named
from fusionq.spec.secrets import mask_code, secrets_of_env
from fusionq.spec.settings import Settings
from fusionq.spec.targets import TARGET
from fusionq.spec.units import format_bytes
from fusionq.store.store import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Frozen:
    """What the record of a job says of its code. All trials of a sweep share it, and its blobs."""

    fields: Mapping[str, str | int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # in words for the user
    put: Callable[[], None] = lambda: None

    def insist(self, act: Callable[[], T]) -> T:
        """Do what needs the blobs; once more where they expired since, which takes a slow submission."""
        try:
            return act()
        except BlobGoneError:
            self.put()
            return act()


def freeze(store: Store, settings: Settings, specs: Sequence[JobSpec], workdir: Path) -> Frozen:
    """Store the code that a job, or all trials of a sweep, will run, as it stands now.

    Where they name none of the user's own, and `code` is not set, nothing of the folder is read but what
    git says of it. Raises UsageError (CodeTooLargeError), CodeError and StoreUnavailableError.
    """
    # The model of another job may name own code too.
    parents = Parents(store, workdir)
    specs = [parents.resolve(spec) for spec in specs]
    snapshot = _snapshot(settings, specs, workdir)
    facts = dict(git.describe(workdir) if snapshot is None else snapshot.provenance)
    diff = mask_code(facts.pop("diff", "")).encode()
    diff_digest = hashlib.sha256(diff).hexdigest() if diff else ""

    def put() -> None:
        if snapshot is not None:
            code_archives.keep(store, settings.runs, snapshot, settings.umask)
        if diff and not store.blobs.exists(diff_digest):
            store.blobs.put(diff_digest, gzip.compress(diff, mtime=0))

    put()
    fields: dict[str, str | int] = {
        "code": snapshot.digest if snapshot else "",
        "diff": diff_digest,
        "provenance": json.dumps(facts),
    }
    left_out = snapshot.left_out if snapshot else ()
    return Frozen(fields, (*_warn_of_secrets(specs), *left_out), put)


def _warn_of_secrets(specs: Sequence[JobSpec]) -> list[str]:
    """Returns a sentence for each variable that holds a secret which Redis will keep in the clear."""
    names = dict.fromkeys(name for spec in specs for name in secrets_of_env(spec.env))
    return [
        f"env.{name} looks like a secret, which Redis stores as it is; set it where the workers start, "
        f"and write env: {{{name}: env:{name}}}"
        for name in names
    ]


def describe_code(settings: Settings, specs: Sequence[JobSpec], workdir: Path) -> list[str]:
    """What would be stored of the user's code, in words; nothing is stored. Raises UsageError."""
    snapshot = _snapshot(settings, specs, workdir)
    if snapshot is None:
        return ["none: it runs the files as they are" if specs[0].code == "none" else "none of your own"]
    size = format_bytes(snapshot.num_bytes)
    return [f"{snapshot.num_files} files, {size}, {snapshot.digest[:12]}", *snapshot.left_out]


def _snapshot(settings: Settings, specs: Sequence[JobSpec], workdir: Path) -> Snapshot | None:
    code = specs[0].code
    if code == "none":
        return None
    # Asked before the folder is looked at: where nothing of it is needed it may be of any size.
    names = list(dict.fromkeys(name for spec in specs for name in modules_named(spec.to_data())))
    if code == CodeSection() and not any(is_in(workdir, name) for name in names):
        return None
    runs_and_home = (settings.runs, settings.home)
    data = _data_folders(settings, specs[0], workdir)
    return take(workdir, code, leave_out=runs_and_home, data=data, names=names)


def _data_folders(settings: Settings, spec: JobSpec, workdir: Path) -> list[Path]:
    """Where data sets lie: they are no code, however many files of them git does not ignore."""
    roots = _roots(spec.to_data()["data"])
    return [settings.data or workdir / "data", *(workdir / root for root in roots)]


def _roots(data: Any) -> Iterator[str]:
    if isinstance(data, Mapping):
        if TARGET in data and isinstance(data.get("root"), str):
            yield data["root"]
        for value in data.values():
            yield from _roots(value)
    elif isinstance(data, list):
        for item in data:
            yield from _roots(item)
