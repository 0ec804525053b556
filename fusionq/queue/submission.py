"""A job file on its way into the queue: its jobs and sweeps in their order, each with its frozen code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fusionq.errors import NotFoundError
from fusionq.queue.freezing import freeze
from fusionq.queue.sender import Sender
from fusionq.queue.submitting import submit, submit_sweep
from fusionq.spec.job import JobSpec
from fusionq.spec.load import Loaded
from fusionq.spec.settings import Settings
from fusionq.spec.targets import FROM
from fusionq.store.store import Store


@dataclass(frozen=True)
class Submitted:
    """One document that is in the queue now. `notes` are words for the user."""

    id: str
    loaded: Loaded
    notes: tuple[str, ...] = ()

    @property
    def spec(self) -> JobSpec:
        return self.loaded.spec


def submit_all(
    store: Store, sender: Sender, settings: Settings, documents: Sequence[Loaded], workdir: Path
) -> Iterator[Submitted]:
    """Put each document into the queue, and yield it once it is safe there.

    A job may wait for an earlier one of its file by name. Raises NotFoundError before anything is stored
    where a job waits for one that is nowhere, and what `freeze` and `submit` raise.
    """
    check_references(store, documents, workdir)
    ids: dict[str, str] = {}
    for one in documents:
        one = _with_ids(one, ids)
        frozen = freeze(store, settings, one.jobs, workdir)
        if one.trials:
            job_id = submit_sweep(store, sender, one.spec, one.trials, workdir, frozen)
        else:
            job_id = submit(store, sender, one.spec, workdir, frozen)
        ids[one.spec.name or ""] = job_id
        yield Submitted(job_id, one, frozen.notes)


def check_references(store: Store, documents: Sequence[Loaded], workdir: Path) -> None:
    """Whether every job that is referred to is an earlier one of the file, or known. Raises NotFoundError."""
    earlier: set[str] = set()
    for one in documents:
        for key, reference in _references(one):
            is_file = key == MODEL_FROM and (workdir / reference).is_file()
            if reference not in earlier and not is_file:
                _find(store, f"{one.source.name}: {key}", reference, workdir)
        earlier.add(one.spec.name or "")


MODEL_FROM = "model.from"


def _references(one: Loaded) -> Iterator[tuple[str, str]]:
    found = {("after", name) for spec in one.jobs for name in spec.after}
    found |= {(MODEL_FROM, str(spec.model[FROM])) for spec in one.jobs if FROM in spec.model}
    yield from sorted(found)


def _find(store: Store, key: str, reference: str, workdir: Path) -> None:
    try:
        store.jobs.find(reference)
    except NotFoundError:
        either = f"neither a file in {workdir} nor a job" if key.endswith(MODEL_FROM) else "no job"
        raise NotFoundError(
            f"{key}: {reference!r} is {either}", hint="`fusionq status` lists the jobs"
        ) from None


def _with_ids(one: Loaded, ids: dict[str, str]) -> Loaded:
    """With the ids of earlier jobs of the file in the place of their names."""
    if not ids:
        return one
    trials = tuple(replace(trial, spec=_resolved(trial.spec, ids)) for trial in one.trials)
    return replace(one, spec=_resolved(one.spec, ids), trials=trials)


def _resolved(spec: JobSpec, ids: dict[str, str]) -> JobSpec:
    model = dict(spec.model)
    if FROM in model:
        model[FROM] = ids.get(str(model[FROM]), model[FROM])
    return spec.model_copy(update={"after": [ids.get(name, name) for name in spec.after], "model": model})
