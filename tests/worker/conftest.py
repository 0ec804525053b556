"""A worker without its Celery: a real store, and job processes that act as told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fusionq.queue.celery_app import make_app
from fusionq.spec.settings import Settings
from fusionq.store.store import Store
from fusionq.worker import heartbeat as beat_module
from fusionq.worker.heartbeat import Beat
from fusionq.worker.options import WorkerOptions
from fusionq.worker.worker import Node
from tests.worker.fakes import FakeLauncher


@pytest.fixture
def make_node(store: Store, tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Makes workers on the real Redis. They have no fork server but a `FakeLauncher`."""
    nodes: list[Node] = []

    def make(*, lease_s: float = 60.0, at: Store = store, **options) -> Node:
        settings = Settings(home=tmp_path / "home", runs=tmp_path / "runs", lease_s=lease_s)
        node = Node(
            settings,
            WorkerOptions(**{"gpus": "none", "slots": 1, **options}),
            at,
            make_app(lambda: at.url),
        )
        node.launcher = FakeLauncher()
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.sender.close()


@pytest.fixture
def node(make_node: Callable[..., Node]) -> Node:
    """A worker named w that takes jobs."""
    node = make_node(name="w")
    node.is_accepting = True
    node.register()
    return node


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
