"""Rows (g): how soon a cancelled job is gone, and one whose worker died trains again; what idling costs.

And one row (f): what a job leaves in Redis.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.queueing.installation import FIRST_WORKER, Installation, tree, wait_until
from benchmarks.queueing.report import Row
from fusionq.queue.freezing import freeze
from fusionq.queue.submitting import submit
from fusionq.spec.settings import DEFAULT_LEASE_S
from fusionq.store import keys

ENDLESS = ("data.train.number=20000", "train.epochs=1000", "optimizer.pause_s=0.01")
BAR_AFTER_LEASE_S = 5.0


@dataclass(frozen=True)
class Spell:
    """How often, and for how long an idle worker is watched."""

    cancels: int = 5
    deaths: int = 2
    settle_s: float = 5.0  # a fork server that forked makes itself ready again
    idle_s: float = 20.0


SMALL = Spell(cancels=1, deaths=0, settle_s=0.0, idle_s=1.0)


@dataclass(frozen=True)
class _Stamp:
    """What a training noted when it, or its next attempt, made the first step."""

    at: float
    pid: int


def measure(own: Installation, spell: Spell) -> Iterator[Row]:
    names = (FIRST_WORKER, "second") if spell.deaths else (FIRST_WORKER,)
    workers = {name: own.worker(name) for name in names}
    time.sleep(spell.settle_s)
    yield from _idle(own, list(workers.values()), spell.idle_s)
    for now in (False, True):
        how = "at once" if now else "which saves its state"
        gone = [_cancel(own, now=now) * 1e3 for _ in range(spell.cancels)]
        yield _row(f"cancel of a running job, {how} → its process is gone", gone, "ms")
    if spell.deaths:
        yield from _deaths(own, workers, spell.deaths)


def succeeded(own: Installation) -> Row:
    """What Redis holds of a job that has succeeded: every key with its id, and its share of the indexes."""
    own.worker()
    job_id = _submit(own, f"optimizer.stamp={own.stamps / 'succeeded'}")
    record = wait_until(lambda: (r := own.store.jobs.get(job_id)).is_finished and r, "its end")
    redis = own.store.redis
    left_out = {keys.log(job_id), keys.metrics(job_id)}
    of_job = [key for key in redis.scan_iter(f"*{job_id}", count=1000) if key not in left_out]
    shared = (keys.JOBS, keys.ROWS, keys.JOB_IDS, keys.blob_users(record.code))
    share = sum(redis.memory_usage(key, samples=0) or 0 for key in shared) / own.store.jobs.count()
    used = sum(redis.memory_usage(key, samples=0) or 0 for key in of_job) + share
    note = "without log and metrics: " + ", ".join(sorted(key.rpartition(":")[0] for key in of_job))
    return Row("f", f"Redis per job that has {record.outcome}", used / 1000, "KB", bar=4.0, note=note)


def _idle(own: Installation, workers: list[subprocess.Popen[bytes]], seconds: float) -> Iterator[Row]:
    """All idle. Redis counts for all of them, and our own look is one command."""
    processes = [process for worker in workers for process in tree(worker.pid)]
    cpu, commands = _cpu_s(processes), _commands(own)
    time.sleep(seconds)
    per_second = (_commands(own) - commands - 1) / seconds / len(workers)
    percent = (_cpu_s(processes) - cpu) / seconds / len(workers) * 100
    yield Row("g", "an idle worker, its fork server included", percent, "%")
    yield Row("g", "an idle worker's Redis commands", per_second, "per second")


def _cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _commands(own: Installation) -> int:
    return own.store.redis.info("stats")["total_commands_processed"]


def _cancel(own: Installation, *, now: bool) -> float:
    job_id, file = _train(own)
    process = psutil.Process(_await_attempt(file, 1).pid)
    began = time.monotonic()
    own.store.jobs.cancel(job_id, "measured", now=now)
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "its end")
    seconds = time.monotonic() - began
    wait_until(lambda: own.store.jobs.get(job_id).is_finished, "its record")
    return seconds


def _deaths(own: Installation, workers: dict[str, subprocess.Popen[bytes]], number: int) -> Iterator[Row]:
    to_trains, to_queue = [], []
    for _ in range(number):
        job_id, file = _train(own)
        name = _await_record(own, job_id).worker
        _await_attempt(file, 1)
        died = time.monotonic()
        _kill_tree(workers[name])
        wait_until(lambda job_id=job_id, name=name: own.store.jobs.get(job_id).worker != name, "its loss")
        to_queue.append(time.monotonic() - died)
        to_trains.append(_await_attempt(file, 2).at - died)
        own.store.jobs.cancel(job_id, "measured")
        wait_until(lambda job_id=job_id: own.store.jobs.get(job_id).is_finished, "its end")
        # The name is free when the dead worker's heartbeat has run out, which it did.
        workers[name] = own.worker(name)
    yield _row("kill -9 of a worker and all its processes → noticed", to_queue, "s")
    bar = DEFAULT_LEASE_S + BAR_AFTER_LEASE_S
    yield _row("kill -9 of a worker and all its processes → trains elsewhere", to_trains, "s", bar)


def _kill_tree(worker: subprocess.Popen[bytes]) -> None:
    for process in tree(worker.pid):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    worker.wait()


def _train(own: Installation) -> tuple[str, Path]:
    """A training that does not end by itself."""
    file = own.stamps / f"endless-{time.monotonic_ns()}"
    return _submit(own, *ENDLESS, f"optimizer.stamp={file}"), file


def _submit(own: Installation, *overrides: str) -> str:
    loaded = own.job(*overrides)
    frozen = freeze(own.store, own.settings, loaded.jobs, own.workdir)
    return submit(own.store, own.sender, loaded.spec, own.workdir, frozen).id


def _await_record(own: Installation, job_id: str):
    wait_until(lambda: own.store.jobs.get(job_id).worker, "a worker takes it")
    return own.store.jobs.get(job_id)


def _await_attempt(file: Path, number: int) -> _Stamp:
    def stamps() -> list[str]:
        return file.read_text().splitlines() if file.exists() else []

    wait_until(lambda: len(stamps()) >= number, f"attempt {number}")
    at, pid = stamps()[number - 1].split()
    return _Stamp(float(at), int(pid))


def _row(what: str, figures: list[float], unit: str, bar: float | None = None) -> Row:
    worst = f"worst {max(figures):,.1f} {unit} of {len(figures)}"
    return Row("g", what, statistics.median(figures), unit, bar=bar, note=worst)
