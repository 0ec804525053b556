"""All that a campaign starts: a Redis, workers, jobs; and what it knows of them."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from fusionq.queue.celery_app import make_app
from fusionq.queue.sender import Sender
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Outcome, Status
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.store import Store
from fusionq.worker.reaper import AFTER_OUTAGE_S
from tests.acceptance.installation import Installation
from tests.chaos.journal import TRAINER, Journal, now
from tests.chaos.weights import digest_of
from tests.support import wait_until

SLOTS = 3  # one worker each
ACTIVE_JOBS = SLOTS - 1  # one slot is free, so that a lost job need not wait for another to end
BATCH_S = 0.04
SEEDS = (3, 4)
LONG_S = 90.0
DISK_BYTES = 256_000_000

# Put first on the import path of one worker and of its jobs, as `sitecustomize`.
SKEWED_CLOCK = """
import datetime
import time

_time, _datetime = time.time, datetime.datetime
time.time = lambda: _time() + 3600


class _AsBefore(type):
    def __instancecheck__(cls, value):
        return isinstance(value, _datetime)


class _Ahead(_datetime, metaclass=_AsBefore):
    @classmethod
    def now(cls, tz=None):
        return _datetime.now(tz) + datetime.timedelta(hours=1)

    @classmethod
    def utcnow(cls):
        return _datetime.utcnow() + datetime.timedelta(hours=1)


datetime.datetime = _Ahead
"""


class World:
    def __init__(self, root: Path, *, lease_s: float, epochs: int, with_gpu: bool = False) -> None:
        self.lease_s = lease_s
        self.epochs = epochs
        self.here = Installation(root)
        self.here.environ |= {"FUSIONQ_LEASE": f"{lease_s}s", "OMP_NUM_THREADS": "1"}
        if with_gpu:
            del self.here.environ["CUDA_VISIBLE_DEVICES"]
        (self.here.workdir / "trainers.py").write_text(TRAINER)
        self.journal = Journal(root / "journal")
        self.skew = root / "skew"
        self.skew.mkdir()
        (self.skew / "sitecustomize.py").write_text(SKEWED_CLOCK)
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.jobs: dict[str, int] = {}  # the seed of each
        self.expected: dict[int, str] = {}
        self._patient_until = 0.0
        self.names: list[str] = []  # of every worker that there was
        self._runs = self.here.home / "runs"
        self.has_small_disk = self._mount_small_disk()

    # --- beginning and end -------------------------------------------------------------------------------

    def begin(self) -> None:
        """Workers that are ready, and what undisturbed jobs come to."""
        assert self.here.cli("up").returncode == 0
        self.sender = Sender(make_app(lambda: self.store.url), self.store)
        for number in range(SLOTS):
            self.start_worker(is_skewed=number == 0)
        undisturbed = {seed: self.submit(seed, batch_s=0.0) for seed in SEEDS}
        for seed, job_id in undisturbed.items():
            record = self.here.await_end(job_id)
            assert record.outcome is Outcome.SUCCEEDED, record.reason
            self.expected[seed] = digest_of(record)
            trained = sum(line.what == "end" for line in self.journal.of(job_id))
            self.batches_per_epoch = trained // self.epochs

    def close(self) -> None:
        for process in self.here.processes():
            with suppress(psutil.NoSuchProcess):
                process.resume()
        if hasattr(self, "sender"):
            self.sender.close()
        self.here.close()
        if self.has_small_disk:
            subprocess.run(["umount", "--lazy", str(self._runs)], capture_output=True, check=False)

    @property
    def store(self) -> Store:
        return self.here.store

    def describe(self) -> str:
        """Where everything stands, for whoever has to find out why."""
        told = [self.here.cli(verb).stdout for verb in ("status", "workers")]
        for log in sorted(self.here.home.glob("*.log")):
            told += [f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-25:]]
        return "\n".join(told)

    # --- the disk of the run folders ---------------------------------------------------------------------

    def _mount_small_disk(self) -> bool:
        """A small file system of its own for the run folders, where we may mount one."""
        self._runs.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(self._runs)]
        try:
            return subprocess.run(command, capture_output=True, check=False).returncode == 0
        except OSError:
            return False

    def fill_disk(self) -> None:
        with self._filler.open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(4096))

    def clear_disk(self) -> None:
        self._filler.unlink(missing_ok=True)

    @property
    def _filler(self) -> Path:
        return self._runs / "filler"

    # --- Redis -------------------------------------------------------------------------------------------

    def redis_pid(self) -> int:
        return self.store.redis.info("server")["process_id"]

    def start_redis(self) -> None:
        EmbeddedRedis(self.here.home).ensure_running()

    def note_outage(self) -> None:
        """Whoever reaps is patient for a while from now on."""
        self._patient_until = now() + self.lease_s + AFTER_OUTAGE_S

    @property
    def is_patient(self) -> bool:
        return now() < self._patient_until

    # --- workers -----------------------------------------------------------------------------------------

    def start_worker(self, *, is_skewed: bool = False) -> str:
        """Without waiting for it. A worker with a clock of its own is an hour ahead."""
        name = f"w{len(self.names)}"
        self.names.append(name)
        ours = self.here.environ
        if is_skewed:
            path = os.pathsep.join((str(self.skew), os.environ.get("PYTHONPATH", "")))
            self.here.environ = {**ours, "PYTHONPATH": path}
        try:
            self.workers[name] = self.here.begin_worker(name)
        finally:
            self.here.environ = ours
        return name

    def replace(self, name: str, *, is_skewed: bool = False) -> str:
        """Another worker for one that is gone."""
        del self.workers[name]
        return self.start_worker(is_skewed=is_skewed)

    def tree(self, name: str) -> list[psutil.Process]:
        """The worker and what it has started, but for a Redis: it may have started that for all."""
        leader = psutil.Process(self.workers[name].pid)
        return [leader, *(p for p in leader.children(recursive=True) if p.pid != self.redis_pid())]

    def fork_server(self, name: str) -> psutil.Process:
        children = psutil.Process(self.workers[name].pid).children()
        return next(child for child in children if child.pid != self.redis_pid())

    def await_free_workers(self) -> list[str]:
        def free() -> list[str]:
            return [w.name for w in self.store.workers.alive() if w.accepting and w.free_slots]

        return wait_until(free, timeout_s=LONG_S, what="a free worker")

    # --- jobs --------------------------------------------------------------------------------------------

    def submit(self, seed: int, *, batch_s: float = BATCH_S) -> str:
        trainer = f"{{_target_: trainers.Journaled, journal: {self.journal.path}, seconds: {batch_s}}}"
        job_id = self.here.submit(
            f"trainer={trainer}", f"train.seed={seed}", f"train.epochs={self.epochs}", "retry.max=100"
        )
        self.jobs[job_id] = seed
        return job_id

    def keep_busy(self) -> None:
        """As many jobs as are to be active at a time."""
        active = sum(not record.is_finished for record in self.records())
        for _ in range(ACTIVE_JOBS - active):
            self.submit(SEEDS[len(self.jobs) % len(SEEDS)])

    def records(self) -> list[JobRecord]:
        return self.store.jobs.get_many(self.jobs)

    def training(self) -> list[JobRecord]:
        """Jobs that run, whose newest attempt has come to its first batch, on workers that live."""
        return [
            record
            for record in self.records()
            if record.status is Status.RUNNING
            and record.worker in self.workers
            and self.journal.latest_attempt(record.id) == record.attempt
        ]

    def await_training(self, count: int = 1) -> list[JobRecord]:
        """Until so many jobs train."""

        def enough() -> list[JobRecord]:
            self.keep_busy()
            found = self.training()
            return found if len(found) >= count else []

        return wait_until(enough, timeout_s=LONG_S, what=f"{count} jobs in training")

    def await_progress(self, job_id: str, attempt: int) -> float | None:
        """When a later attempt of a job than this one trained first. None where the job ended before."""

        def newer() -> bool:
            has_ended = self.store.jobs.get(job_id).is_finished
            return self.journal.latest_attempt(job_id) > attempt or has_ended

        wait_until(newer, timeout_s=LONG_S, what=f"{job_id} in training again")
        later = [line.at for line in self.journal.of(job_id) if line.attempt > attempt]
        return later[0] if later else None

    def is_through(self, record: JobRecord) -> bool:
        """Whether it has trained its last batch."""
        trained = sum(line.what == "end" for line in self.journal.of(record.id))
        return trained >= self.epochs * self.batches_per_epoch

    def await_more_batches(self, job_id: str) -> None:
        """Until it has trained on, by whichever attempt, or has ended."""
        before = sum(1 for _ in self.journal.of(job_id))

        def has_trained_on() -> bool:
            trained = sum(1 for _ in self.journal.of(job_id))
            return trained > before or self.store.jobs.get(job_id).is_finished

        wait_until(has_trained_on, timeout_s=LONG_S, what=f"more of {job_id}")

    def finish(self) -> None:
        """Until every job is over."""
        for job_id in self.jobs:
            wait_until(
                lambda job_id=job_id: self.store.jobs.get(job_id).is_finished,
                timeout_s=LONG_S,
                what=f"the end of {job_id}",
            )

    def stop_workers(self) -> None:
        for process in self.workers.values():
            process.terminate()
        for process in self.workers.values():
            process.wait(timeout=60)

    def pause(self, seconds: float) -> None:
        """How long a fault lasts is part of the fault."""
        time.sleep(seconds)
