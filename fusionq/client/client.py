"""The door to a queue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from fusionq.client.command import run_command
from fusionq.client.command_input import InputSource
from fusionq.client.download import download
from fusionq.client.job import Job
from fusionq.errors import FusionqError, UsageError
from fusionq.queue.celery_app import make_app
from fusionq.queue.sender import Sender
from fusionq.queue.submission import submit_all
from fusionq.queue.work_folder import work_folder
from fusionq.spec.load import Loaded, load_data, load_file
from fusionq.spec.overrides import override_texts
from fusionq.spec.record import JobRecord
from fusionq.spec.settings import Settings
from fusionq.spec.stops import MOST_SLOTS
from fusionq.store.store import Store
from fusionq.store.workers import WorkerRecord

MOST_JOBS = 1000


class Client:
    """A queue, by the Redis that holds it: the same one that the command line uses, unless another is named.

        from fusionq import Client

        with Client() as client:
            job = client.submit("jobs/mnist.yaml", {"optimizer.lr": 1e-2})
            print(job.wait().metrics().last)

    Raises StoreUnavailableError where that Redis does not answer, or cannot hold a queue.
    """

    def __init__(self, redis_url: str | None = None) -> None:
        settings = Settings.load()
        self._settings = settings.with_redis_url(redis_url) if redis_url else settings
        self._store = Store.open(self._settings)
        self._store.check()

    # --- jobs ----------------------------------------------------------------------------------------

    def submit(
        self,
        job: str | Path | Mapping[str, Any],
        overrides: Mapping[str, Any] | None = None,
        *,
        workdir: str | Path | None = None,
    ) -> Job:
        """Check a job and queue it. `job` is a file, or what would stand in one.

        overrides: values by the dotted path of their key, such as {"train.epochs": 5}.
        workdir: where its own modules and relative paths are looked for; default: the current folder.

        Raises SpecError with every mistake; UsageError for a file of several jobs or a sweep, which
        `submit_all` takes.
        """
        documents = self._load(job, overrides, workdir)
        if len(documents) > 1 or documents[0].trials:
            raise UsageError("this is more than one job", hint="submit_all() takes them")
        [submitted] = self._queue(documents, workdir)
        return submitted

    def submit_all(
        self,
        job: str | Path | Mapping[str, Any],
        overrides: Mapping[str, Any] | None = None,
        *,
        workdir: str | Path | None = None,
    ) -> list[Job]:
        """The same for a file of several jobs, or a sweep, whose trials are returned."""
        return self._queue(self._load(job, overrides, workdir), workdir)

    def job(self, reference: str) -> Job:
        """A job by its id, the beginning of one, its name, or "last". Raises NotFoundError."""
        return Job(self, self._store.jobs.find_job(reference))

    def jobs(self, count: int = MOST_JOBS) -> list[Job]:
        """The last `count` jobs that were submitted, the newest last."""
        return [Job(self, record.id, record) for record in self._store.jobs.newest(count)]

    def _load(
        self,
        job: str | Path | Mapping[str, Any],
        overrides: Mapping[str, Any] | None,
        workdir: str | Path | None,
    ) -> list[Loaded]:
        words = override_texts(overrides or {})
        if isinstance(job, Mapping):
            return load_data(job, words)
        return load_file(job, words, workdir=work_folder(workdir))

    def _queue(self, documents: list[Loaded], workdir: str | Path | None) -> list[Job]:
        folder = work_folder(workdir)
        jobs = []
        for submitted in submit_all(self._store, self._sender, self._settings, documents, folder):
            if submitted.loaded.trials:
                jobs += [Job(self, trial.id, trial) for trial in self._store.sweeps.trials(submitted.id)]
            else:
                jobs.append(Job(self, submitted.id))
        return jobs

    # --- the rest ------------------------------------------------------------------------------------

    def workers(self) -> list[WorkerRecord]:
        """The living workers, by name: what they have, what runs there, what their GPUs do."""
        return self._store.workers.alive()

    def set_slots(self, worker: str, number: int) -> None:
        """Let a worker run so many jobs at once from now on. Raises NotFoundError, and UsageError."""
        if not 0 < number <= MOST_SLOTS:
            raise UsageError(f"{number} is not a number of slots from 1 to {MOST_SLOTS}")
        self._store.workers.set_slots(worker, number)

    @property
    def store(self) -> Store:
        """What the command line itself stands on; it may change from version to version."""
        return self._store

    def ask_for_pass(self) -> None:
        """Something changed for jobs that wait; where nobody hears it, a worker's beat finds out."""
        with suppress(FusionqError):
            self._sender.ask_for_pass()

    def download(self, record: JobRecord, folder: Path, parts: Collection[str]) -> list[Path]:
        """What `Job.download` does."""
        return download(self._store, self._sender, record, folder, parts)

    def run_command(
        self,
        record: JobRecord,
        command: Sequence[str],
        on_output: Callable[[bytes], None] | None = None,
        source: InputSource | None = None,
    ) -> int:
        """What `Job.exec` does."""
        return run_command(self._store, self._sender, record, command, on_output, source=source)

    @cached_property
    def _sender(self) -> Sender:
        return Sender(make_app(lambda: self._store.url), self._store)

    def close(self) -> None:
        """Let go of every connection; what is used again connects again."""
        if "_sender" in vars(self):
            self._sender.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._store.redis.shown_url!r})"
