"""Job processes that act as a test tells them, and jobs for them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fusionq.errors import StoreUnavailableError, WorkerError
from fusionq.spec.load import from_yaml
from fusionq.spec.states import Outcome
from fusionq.store.store import Store
from fusionq.worker.running_attempts import Attempt
from fusionq.worker.worker import Node
from tests.support import ONE_JOB

Messages = list[dict[str, Any]]
Script = Callable[["FakeProcess"], Iterator[Messages]]

STARTED = {
    "kind": "started",
    "device": "cpu",
    "num_parameters": 1,
    "num_epochs": 2,
    "num_batches": 3,
    "epoch": 0,
    "batch": 0,
}
EPOCH = {
    "kind": "epoch",
    "epoch": 1,
    "num_epochs": 2,
    "duration_s": 1.0,
    "samples_per_s": 1.0,
    "is_best": True,
    "values": {"train_loss": 0.5},
}
RESULT = {"kind": "result", "result": {"epochs": 2, "best_epoch": 1}}


class FakeProcess:
    """Plays a script: a generator of what the job says at each look. It returns the exit code."""

    def __init__(self, script: Script, output_log: Path) -> None:
        self.pid = 1
        self.exit_code: int | None = None
        self.is_over = False
        self.asked = 0
        self.kills = 0
        self.held_until = 0.0
        self.is_closed = False
        self.output_log = output_log
        self.unheard: Messages = []
        self._play = script(self)

    def say(self, text: str) -> None:
        with self.output_log.open("a") as log:
            log.write(text)

    def receive(self, timeout_s: float) -> Messages:
        try:
            return next(self._play)
        except StopIteration as end:
            self.is_over = True
            self.exit_code = end.value
            return []

    def last_words(self) -> Messages:
        return self.unheard

    def lengthen_leash(self, until: float) -> None:
        self.held_until = until

    def ask_to_stop(self) -> None:
        self.asked += 1

    def kill_tree(self) -> None:
        self.kills += 1
        if not self.is_over:
            self.is_over = True
            self.exit_code = -signal.SIGKILL

    def survivors(self) -> list[int]:
        return []

    def close(self) -> None:
        self.is_closed = True


class FakeLauncher:
    """Starts a fake process for each order. Without a script nothing can be started."""

    def __init__(self) -> None:
        self.script: Script | None = None
        self.orders: list[dict[str, Any]] = []
        self.processes: list[FakeProcess] = []
        self.on_stop: Callable[[], None] = lambda: None

    def spawn(self, orders: dict[str, Any], give_up: Callable[[], bool] = lambda: False) -> FakeProcess:
        if self.script is None:
            raise WorkerError("job processes cannot be prepared")
        self.orders.append(orders)
        self.processes.append(FakeProcess(self.script, Path(orders["output_log"])))
        return self.processes[-1]

    def stop(self) -> None:
        self.on_stop()


class FakeResults:
    """Celery's result backend, remembered."""

    def __init__(self) -> None:
        self.points: list[tuple[str, dict[str, Any]]] = []
        self.ends: list[tuple[str, Outcome, str, dict[str, Any]]] = []

    def progress(self, job_id: str, progress: dict[str, Any]) -> None:
        self.points.append((job_id, progress))

    def end(self, job_id: str, outcome: Outcome, reason: str, result: dict[str, Any]) -> None:
        self.ends.append((job_id, outcome, reason, result))


def put(store: Store, job_id: str = "job", **more: Any) -> str:
    """A queued job with a spec that a worker can read."""
    spec = {**from_yaml(ONE_JOB).to_data(), **more}
    assert store.jobs.submit(job_id, spec, {"name": "tiny", "queue": "default", "priority": 0})
    return job_id


def give(node: Node, job_id: str = "job", **more: Any) -> int:
    """A job that is assigned to the worker. Returns the attempt."""
    put(node.store, job_id, **more)
    attempt = node.store.jobs.assign(job_id, node.name, (), 60)
    assert attempt == 1
    return attempt


def runs(node: Node, job_id: str = "job", *, lease_s: float = 60.0) -> Attempt:
    """A job that runs on the worker."""
    attempt = Attempt(job_id, give(node, job_id))
    assert node.store.jobs.start(job_id, attempt.number, lease_s, "there", node.name)
    assert node.running.add(attempt)
    return attempt


class Outage:
    """A method of the store that fails so many times before it works again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: object, method: str, times: int) -> None:
        self.left = times
        self._method = getattr(owner, method)
        monkeypatch.setattr(owner, method, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.left:
            self.left -= 1
            raise StoreUnavailableError("gone")
        return self._method(*args, **kwargs)
