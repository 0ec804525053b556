"""The same move for many jobs: some hundred in one round trip, each of them still a move of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from fusionq.spec.stops import CANCEL, CANCEL_NOW
from fusionq.store import keys
from fusionq.store.connection import Client
from fusionq.store.scripts import Scripts

T = TypeVar("T")

CHUNK = 250


class Bulk:
    """Answers for each job what the single move would; a job that is gone answers 'missing'."""

    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._redis = client
        self._scripts = scripts

    def cancel(self, job_ids: Iterable[str], reason: str, *, now: bool = False) -> dict[str, str]:
        """As `Jobs.cancel`. Give those that wait before those that run, or one takes the place of another."""
        word = CANCEL_NOW if now else CANCEL
        return self._run("cancel", job_ids, reason, keys.stop_channel(""), word)

    def retry(self, job_ids: Iterable[str], *, fresh: bool = False) -> dict[str, tuple[str, str]]:
        """As `Jobs.retry`, but ('after', parent) where a job before it did not succeed. Parents go first."""
        answers = self._run("retry", job_ids, int(fresh))
        return {job_id: (answer, parent) for job_id, (answer, parent) in answers.items()}

    def _run(self, script: str, job_ids: Iterable[str], *args: str | int) -> dict:
        answers = {}
        for chunk in chunks(job_ids, CHUNK):
            pipe = self._redis.pipeline(transaction=False)
            for job_id in chunk:
                self._scripts.run(script, job_id, *args, client=pipe)
            answers.update(zip(chunk, pipe.execute(), strict=True))
        return answers


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
