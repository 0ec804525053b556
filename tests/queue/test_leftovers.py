"""What nobody else takes away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from fusionq.queue.celery_app import make_app
from fusionq.queue.leftovers import forget_leftovers, forget_queues_of_absent_workers
from fusionq.queue.names import SCHEDULE_QUEUE, node_queue
from fusionq.queue.sender import Sender
from fusionq.store import keys
from fusionq.store.embedded import LONGEST_LOG, EmbeddedRedis
from fusionq.store.store import Store
from tests.support import register


@pytest.fixture
def app(store: Store) -> Iterator[Celery]:
    app = make_app(lambda: store.url)
    yield app
    Sender(app, store).close()


def declare(app: Celery, *queues: str) -> None:
    """As a worker does before it listens."""
    with app.connection_for_write() as connection:
        for queue in queues:
            app.amqp.queues.select_add(queue).bind(connection.default_channel).declare()


def queues_of(store: Store) -> set[str]:
    members = store.redis.smembers("fusionq:celery:_kombu.binding.schedule")
    return {member.split("\x06\x16")[-1] for member in members}


def test_the_queue_of_a_worker_that_left_goes_with_what_lies_in_it(store: Store, app: Celery):
    register(store, "here")
    declare(app, SCHEDULE_QUEUE, node_queue("here"), node_queue("gone"))
    for worker in ("here", "gone"):
        Sender(app, store).run(worker, "job", 1)
    assert queues_of(store) == {"node.here", "node.gone", "schedule"}
    assert forget_queues_of_absent_workers(store) == 1
    assert queues_of(store) == {"node.here", "schedule"}
    assert not store.redis.exists("fusionq:celery:node.gone")
    assert store.redis.llen("fusionq:celery:node.here") == 1
    assert forget_queues_of_absent_workers(store) == 0
    declare(app, node_queue("gone"))
    assert "node.gone" in queues_of(store), "it came back"


def test_nothing_is_in_the_way_where_there_is_nothing(store: Store, tmp_path: Path):
    forget_leftovers(store, tmp_path)
    assert store.redis.keys("*") == []


def test_a_worker_that_stayed_away_for_a_day_goes_off_the_list(store: Store, tmp_path: Path):
    register(store, "gone")
    store.redis.zadd(keys.WORKERS, {"gone": 1})
    forget_leftovers(store, tmp_path)
    assert not store.redis.exists(keys.WORKERS)


def test_of_a_long_log_of_redis_the_newest_lines_stay(store: Store, tmp_path: Path):
    log = EmbeddedRedis(tmp_path).log
    log.parent.mkdir()
    lines = [f"{k:9}\n" for k in range(LONGEST_LOG // 10 + 1)]
    with log.open("a") as server:  # the server goes on writing
        server.write("".join(lines[:-1]))
        server.flush()
        forget_leftovers(store, tmp_path)
        assert log.stat().st_size == LONGEST_LOG
        server.write(lines[-1])
        server.flush()
        forget_leftovers(store, tmp_path)
        server.write("more\n")
    kept = log.read_text().splitlines(keepends=True)
    assert kept[-2:] == [lines[-1], "more\n"]
    assert kept[0] in lines
    assert LONGEST_LOG * 0.4 < log.stat().st_size < LONGEST_LOG * 0.6
