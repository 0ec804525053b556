"""A job that was never started gets another spec: it keeps its id, its code and its place by submission."""

from __future__ import annotations

from collections.abc import Callable

from fusionq.errors import StateError, UsageError
from fusionq.queue.current_spec import CurrentSpec, changed_meanwhile, check_changes, is_one_of
from fusionq.queue.submitting import at_its_moment
from fusionq.spec.load import Loaded
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Status
from fusionq.store.store import Store


def edit_job(
    store: Store, current: CurrentSpec, loaded: Loaded, check: Callable[[], None] = lambda: None
) -> list[str]:
    """Replace the spec of a job that waits or is queued, and return the keys that changed.

    Without any, nothing is done. Calls `check` before anything is changed, once it is known that this may be;
    it may raise. Raises UsageError for a key that cannot change, and StateError where the job
    has started, has ended or was edited by somebody else since `current` was read.
    """
    refuse_started(current.record)
    record, before, spec = current.record, current.before, loaded.spec
    changed = current.changed_keys(spec)
    if not changed:
        return []
    _check_keys(record, changed)
    check()
    if spec.not_before != before.not_before:
        spec = at_its_moment(store, spec)
    answer = store.jobs.edit(record.id, current.change_to(spec, loaded.params))
    if answer == "changed":
        raise changed_meanwhile(record, f"fusionq edit {record.id}")
    if answer != "edited":
        raise _refusal(record.id, answer)
    return changed


def refuse_started(record: JobRecord) -> None:
    """Raises StateError for a job that cannot be edited any more."""
    if record.is_finished:
        raise _refusal(record.id, "finished")
    if record.status is Status.RUNNING or record.run_dir or record.started_at:
        raise _refusal(record.id, "started")
    if record.status is Status.ASSIGNED:
        raise _refusal(record.id, "assigned")


def _check_keys(record: JobRecord, keys: list[str]) -> None:
    check_changes(record, keys)
    for key in keys:
        if record.sweep and is_one_of(key, record.params):
            raise UsageError(
                f"{key} is what the sweep {record.sweep} varies, so it cannot change in one trial",
                hint="submit the job file again for another value",
            )


def _refusal(job_id: str, answer: str) -> StateError:
    words = {
        "finished": ("has ended already", f"queue it again with changes: fusionq retry --edit {job_id}"),
        "started": ("has started already", f"cancel it, and then: fusionq retry --edit {job_id}"),
        "assigned": ("is about to start", f"hold it first: fusionq hold {job_id}"),
    }
    why, hint = words[answer]
    return StateError(f"{job_id} {why}", hint=hint)
