"""A worker without its Celery: a real store, and job processes that act as told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from fusionq.client.command import run_command
from fusionq.queue.celery_app import make_app
from fusionq.spec.settings import Settings
from fusionq.store import keys
from fusionq.store.store import Store
from fusionq.worker import heartbeat as beat_module
from fusionq.worker import process_monitor, supervisor
from fusionq.worker.heartbeat import Beat
from fusionq.worker.options import WorkerOptions
from fusionq.worker.running_attempts import Attempt, Running
from fusionq.worker.worker import Node
from tests.support import register, running, submit, wait_until
from tests.worker.beside import Sender, orders
from tests.worker.fakes import FakeLauncher, FakeResults


@pytest.fixture
def make_node(store: Store, tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Makes workers on the real Redis. They have no fork server but a `FakeLauncher`."""
    nodes: list[Node] = []

    def make(*, lease_s: float = 60.0, at: Store = store, accepting: bool = False, **options) -> Node:
        settings = Settings(home=tmp_path / "home", runs=tmp_path / "runs", lease_s=lease_s)
        node = Node(
            settings,
            WorkerOptions(**{"gpus": "none", "slots": 1, **options}),
            at,
            make_app(lambda: at.url),
        )
        node.launcher = FakeLauncher()
        nodes.append(node)
        if accepting:
            node.is_accepting = True
            node.register()
        return node

    yield make
    for node in nodes:
        node.sender.close()


@pytest.fixture
def node(make_node: Callable[..., Node]) -> Node:
    """A worker named w that takes jobs."""
    return make_node(name="w", accepting=True)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is tried again at once."""
    for module in (process_monitor, supervisor):
        monkeypatch.setattr(module, "RETRY_S", 0.001)


@pytest.fixture
def results() -> FakeResults:
    return FakeResults()


class Clock:
    """Stands in for `time` in one module. It moves by so many seconds when it is called."""

    def __init__(self) -> None:
        self._now = 1000.0

    def monotonic(self) -> float:
        return self._now

    def __call__(self, seconds: float) -> None:
        self._now += seconds


@pytest.fixture
def stop_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], Clock]:
    """Gives a module a clock of its own; all others, such as the client of Redis, keep theirs."""

    def stop(module: ModuleType) -> Clock:
        clock = Clock()
        monkeypatch.setattr(module, "time", clock)
        return clock

    return stop


@pytest.fixture
def make_beat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Node], Beat]]:
    """Starts beats, and ends them with their threads."""
    monkeypatch.setattr(beat_module, "LISTEN_S", 0.05)
    beats: list[Beat] = []

    def make(node: Node) -> Beat:
        beats.append(Beat(node))
        beats[-1].start()
        return beats[-1]

    yield make
    for beat in beats:
        beat.stop()
        for thread in beat._threads:
            thread.join(timeout=5)


@pytest.fixture
def world(store, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A job that runs on a worker, as far as anybody can tell."""
    register(store, "box")
    submit(store, "aaa")
    attempt = Attempt("aaa", running(store, "aaa", "box"))
    attempt.commands.open(orders(tmp_path))
    node = SimpleNamespace(store=store, name="box", running=Running())
    node.running.add(attempt)
    output: list[bytes] = []

    def run(*command: str, on_output=output.append, source=None, terminal=None) -> int:
        record = store.jobs.get("aaa")
        return run_command(store, world.sender, record, command, on_output, source=source, terminal=terminal)

    world = SimpleNamespace(attempt=attempt, node=node, sender=Sender(node), run=run, output=output)
    yield world
    attempt.commands.end()
    attempt.commands.await_end()
    wait_until(lambda: all(thread.name != "command" for thread in threading.enumerate()), timeout_s=60.0)
    assert not store.redis.keys(keys.command("*"))
    assert not store.redis.keys(keys.command_input("*"))
