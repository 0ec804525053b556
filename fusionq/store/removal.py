"""The one door through which a job leaves Redis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fusionq.store import keys
from fusionq.store.bulk import CHUNK, chunks
from fusionq.store.connection import Client
from fusionq.store.scripts import Scripts

REMOVED = "removed"

WHY_IT_STAYS = {
    "missing": "it is gone already",
    "active": "it has not ended",
    "parent": "another job waits for it",
    "source": "another job will take its model",
    "sweep": "its sweep has not ended",
}


@dataclass(frozen=True)
class Answer:
    """What became of a job that was to be removed. `blobs` are the digests that went with it."""

    job_id: str
    word: str
    blobs: tuple[str, ...] = ()

    @property
    def is_removed(self) -> bool:
        return self.word == REMOVED


class Removal:
    """Removes records for good: log, metrics, spec and indices too, and a sweep with its last trial."""

    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._redis = client
        self._scripts = scripts

    def remove(self, job_ids: Iterable[str], *, is_trial_run: bool = False) -> list[Answer]:
        """Remove each of the jobs that may go; who stays answers with a word of `WHY_IT_STAYS`.

        A trial run answers the same, and removes nothing.
        """
        answers = []
        for chunk in chunks(job_ids, CHUNK):
            pipe = self._redis.pipeline(transaction=False)
            for job_id in chunk:
                self._scripts.run("remove", job_id, keys.result(job_id), int(is_trial_run), client=pipe)
            said = zip(chunk, pipe.execute(), strict=True)
            answers += [Answer(job_id, word, tuple(blobs)) for job_id, (word, *blobs) in said]
        return answers

    def existing(self, job_ids: Iterable[str]) -> set[str]:
        """Those that have a record, or are about to have one."""
        found = set()
        for chunk in chunks(job_ids, CHUNK):
            pipe = self._redis.pipeline(transaction=False)
            for job_id in chunk:
                pipe.exists(keys.job(job_id))
            found |= {job_id for job_id, there in zip(chunk, pipe.execute(), strict=True) if there}
        return found

    def bytes_of(self, job_ids: Iterable[str]) -> int:
        """About how much memory of Redis the jobs take, logs and metrics included."""
        sizes = 0
        for chunk in chunks(job_ids, CHUNK):
            pipe = self._redis.pipeline(transaction=False)
            for job_id in chunk:
                for key in (keys.job, keys.spec, keys.log, keys.metrics):
                    pipe.memory_usage(key(job_id))
            sizes += sum(size or 0 for size in pipe.execute())
        return sizes
