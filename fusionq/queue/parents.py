"""Taking a model from another job: `model.from` becomes its id, and its model where none is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fusionq.errors import NotFoundError, UsageError
from fusionq.spec.job import JobSpec
from fusionq.spec.load import parse_job
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Outcome
from fusionq.spec.targets import FROM, TARGET
from fusionq.store.store import Store


class Parents:
    """The jobs that jobs of one submission refer to; each is looked up once."""

    def __init__(self, store: Store, workdir: Path) -> None:
        self._store = store
        self._workdir = workdir
        self._sources: dict[str, JobRecord | None] = {}  # None is a file
        self._models: dict[str, dict[str, Any]] = {}

    def resolve(self, spec: JobSpec) -> JobSpec:
        """The spec with `model.from` resolved: a file stays as it is, a job's name or prefix becomes its id.

        Raises NotFoundError where there is neither, UsageError where that job has no model to give.
        """
        if FROM not in spec.model:
            return spec
        reference = str(spec.model[FROM])
        source = self._source(reference)
        if source is not None:
            return self._from_job(spec, source)
        if TARGET not in spec.model:
            raise UsageError(
                f"model.from: {reference} holds weights alone", hint="say beside it which model they fit"
            )
        return spec

    def _from_job(self, spec: JobSpec, source: JobRecord) -> JobSpec:
        if TARGET in spec.model:
            return spec.model_copy(update={"model": {**spec.model, FROM: source.id}})
        model = {**self._model_of(source.id), FROM: source.id}
        return parse_job({**spec.to_data(), "model": model}, "model.from")

    def _model_of(self, job_id: str) -> dict[str, Any]:
        if job_id not in self._models:
            self._models[job_id] = self._store.jobs.spec(job_id)["model"]
        return self._models[job_id]

    def _source(self, reference: str) -> JobRecord | None:
        if reference not in self._sources:
            self._sources[reference] = self._look_up(reference)
        return self._sources[reference]

    def _look_up(self, reference: str) -> JobRecord | None:
        if (self._workdir / reference).is_file():
            return None
        try:
            record = self._store.jobs.get(self._store.jobs.find_job(reference))
        except NotFoundError:
            raise NotFoundError(
                f"model.from: {reference!r} is neither a file in {self._workdir} nor a job",
                hint="`fusionq status` lists the jobs",
            ) from None
        if record.outcome is not Outcome.SUCCEEDED or not record.result.get("best_model"):
            raise UsageError(
                f"model.from: {record.name} ({record.id}) has no model to give; it is {record.state_word}",
                hint=f"look at it: fusionq status {record.id}",
            )
        return record
