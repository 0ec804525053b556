"""Rows (g): how soon a cancelled job is gone, and one whose worker died trains again; what idling costs."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.queueing.installation import Installation, tree, wait_until
from benchmarks.queueing.report import Row
from fusionq.queue.freezing import freeze
from fusionq.queue.submitting import submit
from fusionq.spec.settings import DEFAULT_LEASE_S

ENDLESS = ("data.train.number=20000", "train.epochs=1000", "optimizer.pause_s=0.01")
BAR_AFTER_LEASE_S = 5.0


@dataclass(frozen=True)
class Spell:
    """How often, and for how long an idle worker is watched."""

    cancels: int = 5
    deaths: int = 2
    idle_s: float = 20.0


SMALL = Spell(cancels=1, deaths=0, idle_s=1.0)


@dataclass(frozen=True)
class _Stamp:
    """What a training noted when it, or its next attempt, made the first step."""

    at: float
    pid: int


def measure(own: Installation, spell: Spell) -> Iterator[Row]:
    """Starts workers of its own; there must be none."""
    workers = {name: own.start_worker(name) for name in ("left", "right")}
    yield from _idle(own, workers["left"], spell.idle_s)
    for now in (False, True):
        how = "at once" if now else "which saves its state"
        gone = [_cancel(own, now=now) * 1e3 for _ in range(spell.cancels)]
        yield _row(f"cancel of a running job, {how} → its process is gone", gone, "ms")
    if spell.deaths:
        yield from _deaths(own, workers, spell.deaths)


def _idle(own: Installation, worker: subprocess.Popen[bytes], seconds: float) -> Iterator[Row]:
    """Two workers idle; Redis counts for both, and our own look is one command."""
    processes = tree(worker.pid)
    cpu, commands = _cpu_s(processes), _commands(own)
    time.sleep(seconds)
    per_second = (_commands(own) - commands - 1) / seconds / 2
    yield Row("g", "an idle worker, its fork server included", (_cpu_s(processes) - cpu) / seconds * 100, "%")
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
        workers[name] = own.start_worker(name)
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
    loaded = own.job(*ENDLESS, f"optimizer.stamp={file}")
    frozen = freeze(own.store, own.settings, loaded.jobs, own.workdir)
    return submit(own.store, own.sender, loaded.spec, own.workdir, frozen).id, file


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
