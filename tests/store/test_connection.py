"""Outages of Redis, in our own words and within seconds."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from fusionq.errors import StoreUnavailableError
from fusionq.store.connection import LONGEST_BLOCK_S, REPLY_TIMEOUT_S, Client, connect
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.outages import unavailable
from fusionq.store.store import Store
from tests.support import submit, wait_until


@pytest.fixture
def clients() -> Iterator[list[Client]]:
    """Put a client in, and it is closed."""
    opened: list[Client] = []
    yield opened
    for client in opened:
        client.close()


@pytest.fixture
def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def guarded(home: Path) -> Iterator[EmbeddedRedis]:
    """A Redis with the password 'right'."""
    server = EmbeddedRedis(home)
    server.ensure_running()
    keeper = connect(server.url)
    keeper.config_set("requirepass", "right")
    keeper.auth("right")
    yield server
    keeper.config_set("requirepass", "")
    keeper.close()


def outage(client: Client, action=None) -> StoreUnavailableError:
    start = time.monotonic()
    with pytest.raises(StoreUnavailableError) as caught:
        (action or client.ping)()
    assert time.monotonic() - start < 3
    assert caught.value.exit_code == 6
    assert "\n" not in str(caught.value)
    return caught.value


def test_where_no_server_listens_it_is_told_within_seconds_and_without_the_password(clients, closed_port):
    clients.append(connect(f"redis://me:secret@127.0.0.1:{closed_port}/0"))
    line = str(outage(clients[0]))
    assert line.startswith(f"no connection to Redis at redis://me:***@127.0.0.1:{closed_port}/0 (")
    assert line.endswith("; start that server, or name another with --redis-url or FUSIONQ_REDIS_URL")
    assert "secret" not in line


def test_a_socket_that_is_not_there_is_told(clients, tmp_path: Path):
    clients.append(connect(f"unix://{tmp_path}/none.sock"))
    assert "No such file or directory" in str(outage(clients[0]))


def test_a_server_that_never_answers_is_told_within_seconds(clients):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        clients.append(connect(f"redis://127.0.0.1:{silent.getsockname()[1]}", reply_timeout_s=0.1))
        assert "no connection to Redis" in str(outage(clients[0]))


def test_a_pipeline_tells_the_same(clients, closed_port):
    clients.append(connect(f"redis://:secret@127.0.0.1:{closed_port}"))
    pipe = clients[0].pipeline(transaction=False)
    pipe.get("x")
    assert "secret" not in str(outage(clients[0], pipe.execute))


def test_a_move_of_a_job_tells_the_same(clients, closed_port):
    clients.append(connect(f"redis://127.0.0.1:{closed_port}"))
    store = Store(clients[0])
    outage(clients[0], lambda: store.jobs.start("j", 1, 60, "x"))
    outage(clients[0], lambda: store.jobs.newest(1))
    outage(clients[0], lambda: store.streams.follow("j", {}, 0.01))


@pytest.mark.parametrize("login", [":wrong@", ""])
def test_a_wrong_or_missing_password_is_told_as_such(clients, guarded: EmbeddedRedis, login):
    clients.append(connect(guarded.url.replace("unix://", f"unix://{login}")))
    line = str(outage(clients[0]))
    assert "refuses us" in line
    assert line.endswith("; check the user and the password in the URL")
    assert "wrong@" not in line


def test_the_right_password_is_let_in(clients, guarded: EmbeddedRedis):
    clients.append(connect(guarded.url.replace("unix://", "unix://:right@")))
    assert clients[0].ping()


def test_a_server_that_went_away_is_told_and_found_again_when_it_is_back(clients, home: Path):
    server = EmbeddedRedis(home)
    clients.append(connect(server.ensure_running()))
    assert clients[0].ping()
    server.stop()
    outage(clients[0])
    server.ensure_running()
    assert clients[0].ping()


def test_a_full_redis_is_told_as_such_whatever_the_command(clients, home: Path):
    clients.append(connect(EmbeddedRedis(home).ensure_running()))
    store = Store(clients[0])
    clients[0].config_set("maxmemory", "1")
    for action in (
        lambda: clients[0].set("x", "y"),
        lambda: submit(store, "j"),
        lambda: store.streams.append_points("j", [{"x": 1}]),
    ):
        assert "is full; give it more memory (maxmemory), or remove ended jobs: fusionq clean" in str(
            outage(clients[0], action)
        )
    clients[0].config_set("maxmemory", "0")
    assert store.jobs.count() == 0
    submit(store, "j")


def test_a_redis_that_a_script_holds_up_is_told_as_such(clients, home: Path):
    url = EmbeddedRedis(home).ensure_running()
    clients += [connect(url), connect(url)]
    usual = clients[0].config_get("lua-time-limit")
    clients[0].config_set("lua-time-limit", 1)

    def refusal() -> StoreUnavailableError | None:
        try:
            pipe = clients[0].pipeline(transaction=False)
            pipe.get("x")
            pipe.execute()
        except StoreUnavailableError as error:
            return error
        return None

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(clients[1].eval, "while true do end", 0)
        error = wait_until(refusal, what="the refusal")
        clients[0].script_kill()
        assert "killed by user" in str(held.exception())
    clients[0].config_set("lua-time-limit", usual["lua-time-limit"])
    assert str(error).endswith("is busy with a script that takes long; try again in a moment")
    assert error.is_for_all


def test_a_redis_that_cannot_write_to_its_disk_is_told_as_such(clients, home: Path):
    clients.append(connect(EmbeddedRedis(home).ensure_running()))
    store = Store(clients[0])
    in_its_place = home / "redis" / "dump.rdb"
    in_its_place.mkdir()
    clients[0].config_set("save", "1 1")
    clients[0].bgsave()
    wait_until(lambda: clients[0].info()["rdb_last_bgsave_status"] == "err", what="the failure to write")
    for action in (
        lambda: clients[0].set("x", "y"),
        lambda: submit(store, "j"),
        lambda: store.streams.append_points("j", [{"x": 1}]),
    ):
        found = outage(clients[0], action)
        assert "cannot write to its disk" in str(found)
        assert found.is_for_all
    assert EmbeddedRedis(home).ensure_running()
    in_its_place.rmdir()
    clients[0].config_set("save", "")
    submit(store, "j")


def test_a_mistake_of_ours_is_not_taken_for_an_outage(store: Store):
    store.redis.set("text", "x")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        store.redis.lpush("text", "x")


def test_a_blocking_read_ends_well_before_its_reply_is_overdue():
    assert LONGEST_BLOCK_S * 2 <= REPLY_TIMEOUT_S


def test_text_comes_back_as_text(store: Store):
    store.redis.set("x", "é🙂")
    assert store.redis.get("x") == "é🙂"


# --- whom an outage concerns -----------------------------------------------------------------------


def test_where_no_server_listens_nobody_gets_more_than_we_do(clients, closed_port, tmp_path: Path):
    for url in (f"redis://127.0.0.1:{closed_port}", f"unix://{tmp_path}/none.sock"):
        clients.append(connect(url))
        assert outage(clients[-1]).is_for_all


@pytest.mark.parametrize(
    ("url", "error", "is_for_all"),
    [
        ("redis://gpu.example:6379", redis.TimeoutError("timed out"), False),
        ("redis://gpu.example:6379", redis.ConnectionError("no route to host"), False),
        ("redis://gpu.example:6379", redis.AuthenticationError("wrong password"), False),
        ("unix:///run/redis.sock", redis.AuthenticationError("wrong password"), False),
        ("redis://gpu.example:6379", redis.BusyLoadingError("loading"), True),
        ("redis://gpu.example:6379", redis.ReadOnlyError("a replica"), True),
        ("redis://gpu.example:6379", redis.OutOfMemoryError("full"), True),
        ("redis://:x@127.0.0.1:6379", redis.TimeoutError("timed out"), True),
        ("unix:///run/redis.sock", redis.TimeoutError("timed out"), True),
    ],
)
def test_only_what_holds_for_all_is_told_as_such(url, error, is_for_all):
    assert unavailable(url, error).is_for_all is is_for_all


def test_a_new_connection_sends_no_ping_which_a_redis_with_a_full_disk_refuses(
    redis_server: EmbeddedRedis, store: Store, clients: list[Client]
):
    store.redis.config_resetstat()
    clients.append(connect(redis_server.url))
    assert clients[0].get("nothing") is None
    assert "cmdstat_ping" not in store.redis.info("commandstats")
