"""What goes by itself: jobs that ended long ago, and the oldest beyond a number. Models and results stay."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from fusionq.queue import code_archives, run_folders
from fusionq.spec.record import JobRecord
from fusionq.spec.settings import Settings
from fusionq.spec.states import Outcome
from fusionq.store.bulk import chunks
from fusionq.store.removal import Answer
from fusionq.store.selection import Filters
from fusionq.store.store import Store

BATCH = 100

_ENDED = tuple(str(outcome) for outcome in Outcome)


@dataclass(frozen=True)
class Retired:
    """How many jobs a turn removed, and how many it had to leave."""

    removed: int = 0
    kept: int = 0


def is_for(record: JobRecord, host: str, living: Collection[str]) -> bool:
    """Whether a worker of `host` sees to this job: it ran there, or on no host that has a living worker."""
    return (
        record.host in ("", host) or record.host not in living or run_folders.folder_here(record) is not None
    )


def due(store: Store, settings: Settings) -> Iterator[str]:
    """Finished jobs whose time is over, then the oldest of those that are too many."""
    if settings.retention_s is not None:
        yield from _ended(store, settings.retention_s)
    excess = store.jobs.count() - settings.keep_jobs
    if excess > 0:
        yield from islice(_ended(store), excess)


def _ended(store: Store, older_s: float | None = None) -> Iterator[str]:
    return store.selection.ids(Filters(states=_ENDED, older_s=older_s), oldest_first=True)


def retire(store: Store, settings: Settings, host: str) -> Iterator[Retired]:
    """Remove what is due from Redis, and its checkpoints and log from the disk; yields after each batch.

    Every host sees to the jobs that ran there. Raises StoreUnavailableError.
    """
    for job_ids in chunks(due(store, settings), BATCH):
        living = {worker.host for worker in store.workers.alive()}
        records = [r for r in store.jobs.get_many(job_ids) if is_for(r, host, living)]
        answers = remove(store, settings.runs, records)
        gone = {answer.job_id for answer in answers if answer.is_removed}
        for record in records:
            folder = run_folders.folder_here(record)
            if record.id in gone and folder is not None:
                run_folders.remove_state(folder)
        yield Retired(len(gone), len(records) - len(gone))


def remove(store: Store, runs: Path, records: Iterable[JobRecord]) -> list[Answer]:
    """Remove jobs from Redis that may go, and stored code that no other job runs."""
    folders = {record.id: run_folders.folder_here(record) for record in records}
    answers = store.removal.remove(folders)
    for answer in answers:
        if answer.is_removed and (folder := folders[answer.job_id]):
            run_folders.forget_record(folder)
        for digest in answer.blobs:
            code_archives.discard(runs, digest)
    return answers
