"""Taking a model from another job: `model.from` becomes its id, and its model where none is given."""

from __future__ import annotations

from pathlib import Path

from fusionq.errors import NotFoundError, UsageError
from fusionq.spec.job import JobSpec
from fusionq.spec.load import parse_job
from fusionq.spec.states import Outcome
from fusionq.spec.targets import FROM, TARGET
from fusionq.store.store import Store


def resolve_model(store: Store, spec: JobSpec, workdir: Path) -> JobSpec:
    """The spec with `model.from` resolved: a file stays as it is, a job's name or prefix becomes its id.

    Raises NotFoundError where there is neither, UsageError where that job has no model to give.
    """
    source = spec.model.get(FROM)
    if source is None:
        return spec
    if (workdir / str(source)).is_file():
        if TARGET not in spec.model:
            raise UsageError(
                f"model.from: {source} holds weights alone", hint="say beside it which model they fit"
            )
        return spec
    try:
        record = store.jobs.get(store.jobs.find(str(source)))
    except NotFoundError:
        raise NotFoundError(
            f"model.from: {str(source)!r} is neither a file in {workdir} nor a job",
            hint="`fusionq status` lists the jobs",
        ) from None
    if record.outcome is not Outcome.SUCCEEDED or not record.result.get("best_model"):
        raise UsageError(
            f"model.from: {record.name} ({record.id}) has no model to give; it is {record.state_word}",
            hint=f"look at it: fusionq status {record.id}",
        )
    model = spec.model if TARGET in spec.model else store.jobs.spec(record.id)["model"]
    data = spec.to_data()
    return parse_job({**data, "model": {**model, FROM: record.id}}, "model.from")
