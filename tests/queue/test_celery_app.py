"""Celery's settings, and a Redis URL in Celery's spelling."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from kombu import Consumer, Queue

from fusionq.queue.celery_app import celery_url, configuration, make_app
from fusionq.store.connection import connect
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.store import Store

# --- the URL ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://user:p%40ss@host:6379/2", "redis://user:p%40ss@host:6379/2"),
        ("redis://host?password=p%40ss&db=3&socket_timeout=3", "redis://:p%40ss@host/3"),
        ("redis:///1", "redis://localhost/1"),
        ("redis://[::1]:6379", "redis://[::1]:6379/0"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
        ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
        ("unix://:p%40ss@/run/redis.sock", "redis+socket://:p%40ss@/run/redis.sock"),
        ("unix://me:secret@/r.sock?db=1", "redis+socket://me:secret@/r.sock?virtual_host=1"),
        ("unix:///r.sock?password=p%40ss", "redis+socket://:p%40ss@/r.sock"),
        ("rediss://host:6380/0", "rediss://host:6380/0"),
        ("rediss://host/0?ssl_cert_reqs=none", "rediss://host/0"),
    ],
)
def test_a_redis_url_in_the_spelling_of_celery(url: str, expected: str):
    assert celery_url(url) == expected


@pytest.fixture
def guarded(home: Path) -> Iterator[EmbeddedRedis]:
    """A Redis with the password p@ss/."""
    server = EmbeddedRedis(home)
    server.ensure_running()
    with redis.Redis(unix_socket_path=str(server.socket)) as admin:
        admin.config_set("requirepass", "p@ss/")
    yield server
    with redis.Redis(unix_socket_path=str(server.socket), password="p@ss/") as admin:
        admin.config_set("requirepass", "")


@pytest.mark.parametrize("form", ["unix://:p%40ss%2F@{}?db=2", "unix://{}?password=p%40ss%2F&db=2"])
def test_broker_and_results_reach_a_socket_with_a_password_and_a_database(guarded: EmbeddedRedis, form: str):
    app = make_app(lambda: form.format(guarded.socket))
    app.send_task("fusionq.schedule", queue="schedule", retry=False)
    app.backend.store_result("id", {"loss": 1}, "PROGRESS")
    app.close()
    with redis.Redis(unix_socket_path=str(guarded.socket), password="p@ss/", db=2) as admin:
        assert admin.llen("fusionq:celery:schedule") == 1
        assert admin.exists("fusionq:celery:celery-task-meta-id")


def test_certificates_are_checked_by_the_results_too():
    app = make_app(lambda: "rediss://host:6380/0")
    assert app.connection_for_write().ssl["ssl_cert_reqs"] is ssl.CERT_REQUIRED
    assert app.backend.connparams["connection_class"] is redis.SSLConnection


def test_an_own_certificate_authority_reaches_broker_and_results():
    app = make_app(lambda: "rediss://host:6380/0?ssl_ca_certs=/etc/ca.pem")
    wanted = {"ssl_ca_certs": "/etc/ca.pem", "ssl_cert_reqs": ssl.CERT_REQUIRED}
    assert app.connection_for_write().ssl == wanted
    assert {key: app.backend.connparams[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    "query",
    ["db=2&password=p%40ss%2F", "db=2&password=p%40ss%2F&socket_timeout=3&max_connections=7&client_name=me"],
)
def test_every_url_that_redis_py_takes_means_the_same_to_store_broker_and_results(
    guarded: EmbeddedRedis, query: str
):
    url = f"unix://{guarded.socket}?{query}"
    store = Store(connect(url), url)
    assert store.redis.client_info()["db"] == 2
    app = make_app(lambda: url)
    app.send_task("fusionq.schedule", queue="schedule", retry=False)
    app.backend.store_result("id", {"loss": 1}, "PROGRESS")
    app.close()
    assert store.redis.llen("fusionq:celery:schedule") == 1
    assert store.redis.exists("fusionq:celery:celery-task-meta-id")
    store.close()


def test_timeouts_of_the_url_reach_broker_and_results():
    settings = configuration("redis://h?socket_timeout=9&socket_connect_timeout=4")
    assert settings["broker_transport_options"]["socket_timeout"] == settings["redis_socket_timeout"] == 9
    assert settings["redis_socket_connect_timeout"] == 4


# --- the settings ----------------------------------------------------------------------------------


def test_a_message_is_taken_once_and_never_in_advance():
    settings = configuration("redis://host/0")
    assert settings["task_acks_late"] is False
    assert settings["task_reject_on_worker_lost"] is False
    assert settings["worker_prefetch_multiplier"] == 1
    assert settings["worker_disable_prefetch"] is True


def test_a_lost_connection_ends_no_running_job():
    assert configuration("redis://host/0")["worker_cancel_long_running_tasks_on_connection_loss"] is False
    assert configuration("redis://host/0")["broker_connection_max_retries"] is None


def test_only_json_travels():
    settings = configuration("redis://host/0")
    assert (settings["task_serializer"], settings["result_serializer"]) == ("json", "json")
    assert settings["accept_content"] == ["json"]


def test_all_of_celery_lies_under_one_prefix():
    settings = configuration("redis://host/0")
    for name in ("broker_transport_options", "result_backend_transport_options"):
        assert settings[name]["global_keyprefix"] == "fusionq:celery:"


def test_jobs_are_supervised_by_threads():
    assert configuration("redis://host/0")["worker_pool"] == "threads"


def test_the_url_is_asked_for_when_the_app_is_first_used():
    asked = []

    def url() -> str:
        asked.append(1)
        return "redis://host:6379/0"

    app = make_app(url)
    assert not asked
    assert app.conf.broker_url == "redis://host:6379/0"
    assert asked


# --- what Celery does when Redis goes away ---------------------------------------------------------


def test_a_message_under_way_does_not_end_the_worker_when_the_connection_breaks(store: Store):
    app = make_app(lambda: store.url)
    app.send_task("fusionq.schedule", queue="schedule", retry=False)
    connection = app.connection_for_read()
    taken = []
    queue = Queue("schedule", "schedule", routing_key="schedule")
    with Consumer(connection.default_channel, [queue], on_message=taken.append):
        connection.drain_events(timeout=5)
        connection._do_close_transport()  # what is left of a connection that broke
        connection.close()
    assert not taken[0].acknowledged
    app.close()
