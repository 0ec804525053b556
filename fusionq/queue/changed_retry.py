"""A job that has ended goes on with another spec: more epochs, other resources, another timeout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from fusionq.errors import UsageError
from fusionq.queue.current_spec import (
    CurrentSpec,
    changed_meanwhile,
    check_changes,
    is_one_of,
    read_current_spec,
)
from fusionq.spec.job import JobSpec, ResourcesSection
from fusionq.spec.load import Loaded
from fusionq.spec.record import JobRecord
from fusionq.spec.targets import TARGET
from fusionq.store.store import Store

WHILE_RESUMING = (
    "train.epochs",
    "train.early_stopping",
    "train.deterministic",
    "checkpoint.every",
    "checkpoint.keep",
    "checkpoint.keep_best",
    "checkpoint.save_models",
    "data.num_workers",
    "resources",
    "retry",
    "timeout",
    "wait_timeout",
    "grace",
    "output_limit",
    "queue",
    "priority",
    "export",
    "notify",
    "tags",
    "env",
)
"""Keys, or what stands before them, that a job may go on with: they decide nothing of its state."""
_OF_THE_FIRST_TIME = ("name", "not_before")
_OF_FIXED_LENGTH = "OneCycleLR"


def retry_changed(store: Store, job_id: str, overrides: Iterable[str], *, fresh: bool = False) -> str:
    """Queue a job that has ended once more, with overrides of its own job file; answers as `Jobs.retry` does.

    Raises SpecError as submitting does, UsageError for a key that it cannot go on with, and StateError where
    somebody else changed its job file meanwhile.
    """
    current = read_current_spec(store, job_id)
    return retry_with(store, current, current.with_overrides(overrides), fresh=fresh)


def retry_with(
    store: Store,
    current: CurrentSpec,
    loaded: Loaded,
    *,
    fresh: bool = False,
    check: Callable[[], None] = lambda: None,
) -> str:
    """The same with a whole job file that was made of its own one.

    Calls `check` before anything is changed, once it is known that this may be; it may raise.
    """
    record, before, spec = current.record, current.before, loaded.spec
    _check_keys(record, current.changed_keys(spec), fresh)
    if not fresh:
        _check_length(record, before, spec)
    check()
    answer = store.jobs.retry(record.id, fresh=fresh, change=current.change_to(spec, loaded.params))
    if answer == "changed":
        raise changed_meanwhile(record, f"fusionq retry --edit {record.id}")
    return answer


def _check_keys(record: JobRecord, keys: Sequence[str], fresh: bool) -> None:
    check_changes(record, keys, _OF_THE_FIRST_TIME)
    for key in keys:
        if not fresh and not is_one_of(key, WHILE_RESUMING):
            raise UsageError(
                f"{record.id} cannot go on with another {key}: its state was made with the old one",
                hint=f"begin anew with it: fusionq retry {record.id} --fresh {key}=…",
            )


def _check_length(record: JobRecord, before: JobSpec, spec: JobSpec) -> None:
    """What changes nothing of the state, and yet cannot be gone on with."""
    done = int(record.result.get("epochs") or 0)
    if spec.train.epochs != before.train.epochs:
        if spec.train.epochs <= done:
            raise UsageError(
                f"{record.id} has trained {done} epochs already", hint=f"say more: train.epochs={2 * done}"
            )
        scheduler = str((spec.lr_scheduler or {}).get(TARGET, ""))
        if scheduler.endswith(_OF_FIXED_LENGTH):
            raise UsageError(
                f"{_OF_FIXED_LENGTH} of {record.id} was planned for so many steps, and has no rate for more",
                hint=f"begin anew: fusionq retry {record.id} --fresh train.epochs=…",
            )
    if _processes(spec.resources) != _processes(before.resources):
        raise UsageError(
            f"{record.id} goes on exactly only in as many processes",
            hint=f"begin anew: fusionq retry {record.id} --fresh …",
        )


def _processes(resources: ResourcesSection) -> int:
    num_gpus = resources.gpus if isinstance(resources.gpus, int) else 1
    return resources.nodes * resources.num_processes(num_gpus)
