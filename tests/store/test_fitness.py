"""A Redis that cannot hold a queue is refused at first contact, in one line with what to do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from fusionq.errors import StoreUnavailableError
from fusionq.spec.states import Outcome
from fusionq.store import fitness
from fusionq.store.connection import Client, connect
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.fitness import ServerFacts
from fusionq.store.outages import ACL_RULES, unavailable
from fusionq.store.server_binary import find_binaries
from fusionq.store.store import Store
from tests.support import register, running, submit, wait_until

CHANNELS = ("fusionq:celery:/0.celery.pidbox",)


@pytest.fixture
def own(home: Path) -> Iterator[Client]:
    """A Redis of this test alone, to be spoiled."""
    client = connect(EmbeddedRedis(home).ensure_running())
    yield client
    client.close()


def refusal(client: Client, act: Callable[[], object] | None = None) -> str:
    with pytest.raises(StoreUnavailableError) as caught:
        (act or Store(client).check)()
    assert caught.value.exit_code == 6
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(client.shown_url, "URL")


def test_an_embedded_redis_is_fit(own: Client):
    Store(own).check()
    Store(own).check_channels(CHANNELS)


def test_one_that_drops_keys_is_refused_and_one_that_cannot_be_full_is_not(own: Client):
    own.config_set("maxmemory-policy", "allkeys-lru")
    Store(own).check()
    own.config_set("maxmemory", "100mb")
    assert refusal(own) == (
        "Redis at URL would drop jobs once it is full (maxmemory-policy allkeys-lru); "
        "let it keep them: redis-cli config set maxmemory-policy noeviction"
    )


def test_a_replica_is_refused_at_first_contact_and_later(own: Client):
    store = Store(own)
    store.check()
    own.replicaof("127.0.0.1", "1")
    assert refusal(own) == "URL is a replica, which cannot be written to; name its master, 127.0.0.1:1"
    expected = "URL is a replica, which cannot be written to; name its master"
    assert refusal(own, lambda: submit(store, "j")) == expected
    assert refusal(own, lambda: own.set("x", "y")) == expected


def test_a_node_of_a_cluster_is_refused_at_first_contact_and_later(tmp_path: Path, short_folder: Path):
    path = short_folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(path), "--cluster-enabled", "yes", "--cluster-port", "1"]
    binary = find_binaries()[0]
    options = options if binary.version >= (7,) else options[:-2]
    server = subprocess.Popen([binary.path, *options], cwd=tmp_path, stdout=subprocess.DEVNULL)
    client = connect(f"unix://{path}")
    try:
        wait_until(lambda: path.exists(), what="the socket", timeout_s=20)
        expected = (
            "URL is a node of a Redis Cluster, on which the queue cannot run; name a single Redis server"
        )
        assert refusal(client) == expected
        assert refusal(client, lambda: client.set("x", "y")) == expected
    finally:
        client.close()
        server.kill()
        server.wait()


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("~fusionq:* resetchannels +@all", "one of the channels"),
        ("~fusionq:* allchannels +@all -info", "'info' command"),
        ("~other:* allchannels +@all", "one of the keys"),
    ],
)
def test_a_user_without_the_rights_is_told_which_it_needs(own: Client, rules: str, why: str):
    own.execute_command("ACL", "SETUSER", "me", "reset", "on", ">secret", *rules.split())
    client = connect(own.shown_url.replace("unix://", "unix://me:secret@"))
    line = refusal(client)
    assert "URL does not let its user do that (" in line
    assert line.endswith(f"; its ACL must hold {ACL_RULES}")
    client.close()


def test_the_rights_that_are_told_are_enough(own: Client):
    own.execute_command("ACL", "SETUSER", "me", "reset", "on", ">secret", *ACL_RULES.split())
    client = connect(own.shown_url.replace("unix://", "unix://me:secret@"))
    store = Store(client)
    store.check()
    store.check_channels(CHANNELS)
    register(store)
    submit(store, "j")
    attempt = running(store, "j")
    store.streams.append_log("j", 1, 0, 2, "hi")
    assert store.jobs.finish("j", attempt, Outcome.SUCCEEDED, "")
    store.removal.bytes_of(["j"])
    assert [answer.word for answer in store.removal.remove(["j"])] == ["removed"]
    client.close()


def test_a_user_that_may_not_listen_to_celerys_channels_is_told(own: Client):
    rules = "~fusionq:* resetchannels &fusionq:* +@all"
    own.execute_command("ACL", "SETUSER", "me", "reset", "on", ">secret", *rules.split())
    client = connect(own.shown_url.replace("unix://", "unix://me:secret@"))
    Store(client).check()
    # For patterns Redis wants the pattern itself among the rules.
    assert "one of the channels" in refusal(client, lambda: Store(client).check_channels(CHANNELS))
    client.close()


def test_what_is_no_redis_is_told_as_such():
    error = unavailable(
        "redis://web:80", redis.InvalidResponse("Protocol Error: b'HTTP/1.1 400 Bad Request'")
    )
    assert str(error) == "what answers at redis://web:80 is no Redis; check the host and the port of the URL"


def test_a_sentinel_is_no_place_for_jobs():
    facts = ServerFacts.of({"redis_mode": "sentinel"})
    with pytest.raises(
        StoreUnavailableError, match="is a Redis in sentinel mode, on which the queue cannot run"
    ):
        fitness.check(facts, "redis://h")


def test_an_old_server_is_refused_and_one_that_does_not_say_is_not():
    with pytest.raises(StoreUnavailableError, match=r"is 6\.0\.16, and fusionq needs 6\.2 or newer"):
        fitness.check(ServerFacts.of({"redis_version": "6.0.16"}), "redis://h")
    for version in ("6.2.14", "7.0.15", "10.0.1", "", "v1"):
        fitness.check(ServerFacts.of({"redis_version": version}), "redis://h")


def test_a_full_redis_still_cancels_and_removes_jobs(own: Client):
    store = Store(own)
    register(store)
    for job_id in ("waits", "ended"):
        submit(store, job_id)
    store.jobs.finish("ended", running(store, "ended"), Outcome.SUCCEEDED, "")
    own.config_set("maxmemory", "1")
    assert "is full; give it more memory" in refusal(own, lambda: submit(store, "more"))
    assert store.jobs.cancel("waits", "no room") == "cancelled"
    assert [answer.word for answer in store.removal.remove(["waits", "ended"])] == ["removed", "removed"]
    assert store.jobs.count() == 0
