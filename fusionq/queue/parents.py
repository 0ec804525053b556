"""The jobs that a job refers to: those that it comes after, and the one whose model it takes."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from fusionq.errors import NotFoundError, UsageError
from fusionq.spec.after import AfterSection, jobs_of, with_jobs
from fusionq.spec.job import JobSpec
from fusionq.spec.load import parse_job
from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.spec.states import Outcome
from fusionq.spec.targets import FROM, TARGET, without_loading
from fusionq.store.store import Store

LIST_THEM = "`fusionq status` lists the jobs"


class Parents:
    """Turns the references of one submission into ids; each is looked up once, for all trials."""

    def __init__(self, store: Store, workdir: Path) -> None:
        self._store = store
        self._workdir = workdir
        self._source = cache(self._look_up_source)
        self._parent = cache(self._look_up_parent)
        self._spec = cache(store.jobs.spec)

    def resolve(self, spec: JobSpec) -> JobSpec:
        """The spec with ids in `after` and in `model.from`; there a file stays as it is.

        Raises NotFoundError where a reference names nothing, UsageError where what it names is of no use.
        """
        source = self._source_of(spec)
        if source is not None:
            spec = self._with_model(spec, source)
        return spec.model_copy(update={"after": self._after(spec.after)})

    def source_id(self, spec: JobSpec) -> str:
        """The id of the job whose model a resolved spec takes; '' where it takes none, or that of a file."""
        source = self._source_of(spec)
        return source.id if source is not None else ""

    # --- after ---------------------------------------------------------------------------------------

    def _after(self, after: AfterSection | list[str]) -> AfterSection | list[str]:
        is_block = isinstance(after, AfterSection)
        place = "after.jobs" if is_block else "after"
        found = [self._parent(f"{place}[{i}]", name) for i, name in enumerate(jobs_of(after))]
        if not is_block or (after.need, after.on_failure) == ("all", "fail"):
            for i, parent in enumerate(found):
                _refuse_failed(f"{place}[{i}]", parent)
        return with_jobs(after, list(dict.fromkeys(parent.id for parent in found)))

    def _look_up_parent(self, place: str, reference: str) -> JobRecord | SweepRecord:
        return self._row(_find(place, self._store.jobs.find, reference))

    def _row(self, found: str) -> JobRecord | SweepRecord:
        store = self._store
        return store.sweeps.get(found) if store.sweeps.exists(found) else store.jobs.get(found)

    # --- model.from ----------------------------------------------------------------------------------

    def _source_of(self, spec: JobSpec) -> JobRecord | None:
        reference = spec.model.get(FROM)
        source = self._source(str(reference)) if reference is not None else None
        if reference is not None and source is None and TARGET not in spec.model:
            raise UsageError(
                f"model.from: {reference} holds weights alone", hint="say beside it which model they fit"
            )
        return source

    def _look_up_source(self, reference: str) -> JobRecord | None:
        """The job, or None where it is a file."""
        if os.path.isfile(self._workdir / reference):
            return None
        try:
            record = self._store.jobs.get(_find("model.from", self._store.jobs.find_job, reference))
        except NotFoundError:
            raise NotFoundError(
                f"model.from: {reference!r} is neither a file in {self._workdir} nor a job", hint=LIST_THEM
            ) from None
        if not self._has_or_will_have_model(record):
            raise UsageError(
                f"model.from: {record.name} ({record.id}) has no model to give; it is {record.state_word}",
                hint=f"look at it: fusionq status {record.id}",
            )
        return record

    def _has_or_will_have_model(self, record: JobRecord) -> bool:
        if record.is_finished:
            return record.outcome is Outcome.SUCCEEDED and bool(record.result.get("best_model"))
        return self._spec(record.id).get("task", "train") == "train"

    def _with_model(self, spec: JobSpec, source: JobRecord) -> JobSpec:
        if TARGET in spec.model:
            return spec.model_copy(update={"model": {**spec.model, FROM: source.id}})
        stored = without_loading(self._spec(source.id)["model"])
        model: dict[str, Any] = {**stored, **spec.model, FROM: source.id}
        return parse_job({**spec.to_data(), "model": model}, "model.from")


def _refuse_failed(place: str, parent: JobRecord | SweepRecord) -> None:
    if parent.outcome not in (None, Outcome.SUCCEEDED):
        raise UsageError(
            f"{place}: {parent.name} ({parent.id}) did not succeed; it is {parent.state_word}",
            hint=f"retry it first: fusionq retry {parent.id}",
        )


def _find(place: str, find: Any, reference: str) -> str:
    """The id that is meant, or the store's own words behind the place of the reference."""
    try:
        return find(reference)
    except (NotFoundError, UsageError) as error:
        raise type(error)(f"{place}: {error.message}", hint=error.hint) from None
