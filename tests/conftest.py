"""Fixtures of all tests: an isolated home, its settings, and a store on a real and on a simulated Redis."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest

from fusionq.spec.settings import ENV_HOME, Settings
from fusionq.store.connection import connect
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.store import Store
from tests.support import end_server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A FUSIONQ_HOME of this test alone; no other setting reaches it. An embedded Redis in it is stopped."""
    for name in [name for name in os.environ if name.startswith("FUSIONQ_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv(ENV_HOME, str(folder))
    yield folder
    end_server(EmbeddedRedis(folder))


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="fq", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings.load()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """One real Redis for all tests of a session."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("shared"))
    server.ensure_running()
    yield server
    end_server(server)


@pytest.fixture
def store(redis_server: EmbeddedRedis) -> Iterator[Store]:
    """An empty store on the real Redis."""
    store = Store(connect(redis_server.url), redis_server.url)
    store.redis.flushall()
    yield store
    store.close()


@pytest.fixture
def fake_store() -> Iterator[Store]:
    """An empty store on a simulated Redis, for tests that would be slow or awkward on the real one."""
    client = fakeredis.FakeRedis(server=fakeredis.FakeServer(), decode_responses=True)
    yield Store(client)
    client.close()


@pytest.fixture(params=["redis", "fakeredis"])
def any_store(request: pytest.FixtureRequest) -> Store:
    """The same test on both: what the simulation shows must hold on the real Redis."""
    return request.getfixturevalue("store" if request.param == "redis" else "fake_store")
