"""A job file on its way into the queue: its jobs and sweeps in their order, each with its frozen code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fusionq.errors import UsageError
from fusionq.queue.freezing import Frozen, freeze
from fusionq.queue.parents import Parents
from fusionq.queue.sender import Sender
from fusionq.queue.submitting import submit, submit_sweep
from fusionq.spec.after import jobs_of, with_jobs
from fusionq.spec.job import JobSpec
from fusionq.spec.load import Loaded
from fusionq.spec.settings import Settings
from fusionq.spec.targets import FROM
from fusionq.store.store import Store


@dataclass(frozen=True)
class Submitted:
    """One document that is in the queue now. `notes` are words for the user.

    Where it `is_twin`, the same job was there already, and nothing new was stored.
    """

    id: str
    loaded: Loaded
    is_twin: bool = False
    notes: tuple[str, ...] = ()

    @property
    def spec(self) -> JobSpec:
        return self.loaded.spec


Look = Callable[[Sequence[tuple[Loaded, Sequence[JobSpec], str]]], None]
"""Looks at documents, each with its jobs as a worker would get them and the digest of their code."""


def submit_all(
    store: Store,
    sender: Sender,
    settings: Settings,
    documents: Sequence[Loaded],
    workdir: Path,
    look: Look | None = None,
) -> Iterator[Submitted]:
    """Put each document into the queue, and yield it once it is safe there.

    A job may refer to an earlier one of its file by name. What `Parents` says of all other references is
    raised before anything is stored; then what `look` raises, and what `freeze` and `submit` do.
    """
    _check_references(store, documents, workdir)
    ready: dict[int, Frozen] = {}
    if look is not None:
        ready = _freeze_independent(store, settings, documents, workdir)
        look([_to_look_at(store, documents[i], frozen, workdir) for i, frozen in ready.items()])
    ids: dict[str, str] = {}
    for i, one in enumerate(documents):
        one = _with_ids(one, ids)
        frozen = ready.get(i) or freeze(store, settings, one.jobs, workdir)
        if one.trials:
            placed = submit_sweep(store, sender, one.spec, one.trials, workdir, frozen)
        else:
            placed = submit(store, sender, one.spec, workdir, frozen, one.params)
        ids[one.spec.name or ""] = placed.id
        yield Submitted(placed.id, one, placed.is_twin, frozen.notes)


def _freeze_independent(
    store: Store, settings: Settings, documents: Sequence[Loaded], workdir: Path
) -> dict[int, Frozen]:
    """The code of the documents, by their number, that refer to no earlier one of the file."""
    names = {one.spec.name: one for one in documents}
    return {
        i: freeze(store, settings, one.jobs, workdir)
        for i, one in enumerate(documents)
        if all(_without(spec, names) == spec for spec in one.jobs)
    }


def _to_look_at(
    store: Store, one: Loaded, frozen: Frozen, workdir: Path
) -> tuple[Loaded, Sequence[JobSpec], str]:
    parents = Parents(store, workdir)
    return one, [parents.resolve(spec) for spec in one.jobs], str(frozen.fields.get("code", ""))


def _check_references(store: Store, documents: Sequence[Loaded], workdir: Path) -> None:
    parents = Parents(store, workdir)
    later = {one.spec.name for one in documents}
    earlier: dict[str, Loaded] = {}
    for one in documents:
        later.discard(one.spec.name)
        for spec in one.jobs:
            _refuse_later(one, spec, later - earlier.keys())
            source = earlier.get(str(spec.model.get(FROM)))
            if source is not None and (source.trials or source.spec.task != "train"):
                raise UsageError(
                    f"{one.source.where(('model', FROM))}: model.from: {source.spec.name} gives no model",
                    hint="name one job that trains",
                )
            parents.resolve(_without(spec, earlier))
        earlier[one.spec.name or ""] = one


def _refuse_later(one: Loaded, spec: JobSpec, later: Collection[str | None]) -> None:
    """A job comes after those before it in the file, so that none can wait for itself."""
    for place, name in [(("after",), name) for name in jobs_of(spec.after)] + [
        (("model", FROM), spec.model.get(FROM))
    ]:
        if name in later:
            raise UsageError(
                f"{one.source.where(place)}: {'.'.join(place)}: {name} stands later in this file",
                hint="a job comes after those before it; put that one first",
            )


def _without(spec: JobSpec, names: Mapping[str, object]) -> JobSpec:
    """The spec with no reference to one of these names."""
    model = {key: value for key, value in spec.model.items() if key != FROM or str(value) not in names}
    after = [name for name in jobs_of(spec.after) if name not in names]
    return spec.model_copy(update={"after": with_jobs(spec.after, after), "model": model})


def _with_ids(one: Loaded, ids: Mapping[str, str]) -> Loaded:
    """With the ids of earlier jobs of the file in the place of their names."""
    trials = tuple(replace(trial, spec=_resolved(trial.spec, ids)) for trial in one.trials)
    return replace(one, spec=_resolved(one.spec, ids), trials=trials)


def _resolved(spec: JobSpec, ids: Mapping[str, str]) -> JobSpec:
    model = dict(spec.model)
    if FROM in model:
        model[FROM] = ids.get(str(model[FROM]), model[FROM])
    after = with_jobs(spec.after, [ids.get(name, name) for name in jobs_of(spec.after)])
    return spec.model_copy(update={"after": after, "model": model})
