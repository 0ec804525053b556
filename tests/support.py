"""What tests of every layer share: waiting for a condition, and jobs and workers to move about."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import psutil

from fusionq.spec.states import Status
from fusionq.store import keys
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.store import Store

T = TypeVar("T")

POLL_S = 0.005
ONE_JOB = """
name: tiny
model: {_target_: Linear, in_features: 64, out_features: 10}
data: {train: {_target_: Digits}}
loss: {_target_: CrossEntropyLoss}
optimizer: {_target_: SGD, lr: 0.1}
"""


def wait_until(condition: Callable[[], T], *, timeout_s: float = 30.0, what: str = "the condition") -> T:
    """Poll until `condition()` is true and return its value. Fails the test after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {timeout_s:g} s")
        time.sleep(POLL_S)
    return value


def is_gone(process: int | psutil.Process) -> bool:
    """Whether a process has ended, also where nobody asked yet how. It may end at any moment of the look."""
    try:
        found = psutil.Process(process) if isinstance(process, int) else process
        return not found.is_running() or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def end_server(server: EmbeddedRedis) -> None:
    """Stop an embedded Redis, and take away the folder of its socket where that lies outside its home."""
    server.stop()
    if server.socket.parent != server.folder:
        shutil.rmtree(server.socket.parent, ignore_errors=True)


def submit(
    store: Store,
    job_id: str,
    *,
    name: str = "",
    queue: str = "default",
    priority: int = 0,
    **more: str | int,
) -> str:
    """A new job with as little in its record as the store needs."""
    fields = {"name": name or f"name-of-{job_id}", "queue": queue, "priority": priority, **more}
    assert store.jobs.submit(job_id, {"name": name}, fields)
    return job_id


def register(
    store: Store,
    name: str = "worker",
    *,
    token: str = "token",
    slots: int = 1,
    gpus: Sequence[int] = (),
    accepting: bool = True,
    holds_s: float = 60.0,
    queues: str = "[]",
) -> str:
    """A living worker."""
    shown = ", ".join(f'{{"index": {gpu}}}' for gpu in gpus)
    fields = {"host": "host", "slots": slots, "accepting": int(accepting), "gpus": f"[{shown}]", "pid": 7}
    if queues != "[]":
        fields["queues"] = queues
    assert store.workers.register(name, token, holds_s, fields)
    return name


def assigned(store: Store, job_id: str, worker: str = "worker", *, start_within_s: float = 60.0) -> int:
    """Bring a queued job to `assigned`. Returns the attempt."""
    attempt = store.jobs.assign(job_id, worker, (), start_within_s)
    assert attempt > 0
    return attempt


def running(store: Store, job_id: str, worker: str = "worker", *, lease_s: float = 60.0) -> int:
    """Bring a queued job to `running`. Returns the attempt."""
    attempt = assigned(store, job_id, worker)
    assert store.jobs.start(job_id, attempt, lease_s, "run-dir")
    return attempt


def status(store: Store, job_id: str) -> Status:
    """Where a job is."""
    return store.jobs.get(job_id).status


def events_of(store: Store, job_id: str) -> list[str]:
    """Every status that a job came to, in order."""
    return [fields["status"] for _, fields in store.redis.xrange(keys.EVENTS) if fields["job"] == job_id]


def await_lease_end(store: Store, job_id: str) -> None:
    """Wait until the lease of a running job ran out."""
    wait_until(lambda: any(job_id == found[0] for found in store.jobs.expired()), what="the end of the lease")


def now_ms(store: Store) -> int:
    """Redis's clock."""
    seconds, micros = store.redis.time()
    return seconds * 1000 + micros // 1000


def end_of_time(store: Store, key: str, job_id: str) -> None:
    """The time until which a job stands in this list is over."""
    store.redis.zadd(key, {job_id: now_ms(store) - 1})
