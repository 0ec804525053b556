"""A worker whose Redis loses its data holds its jobs still, until the data is back or somebody decides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fusionq.store import keys
from fusionq.worker import lease_guard
from fusionq.worker.heartbeat import Beat
from fusionq.worker.running_attempts import LOST
from fusionq.worker.worker import Node
from tests.worker.fakes import runs


@pytest.fixture
def beat(node: Node) -> Callable[[], None]:
    """One heartbeat, without its threads."""
    beat = Beat(node)

    def once() -> None:
        beat._renew()

    once()
    return once


def test_in_an_empty_redis_its_jobs_are_neither_killed_nor_renewed(node: Node, beat, caplog):
    attempt = runs(node)
    node.store.redis.flushall()
    beat()
    beat()
    assert (node.is_holding, node.takes_jobs, attempt.stop_reason, attempt.held_until) == (
        True,
        False,
        "",
        0.0,
    )
    assert node.store.workers.alive()[0].state_word == "holding"
    assert caplog.text.count("Redis has lost its data") == 1
    assert "lease: job;" in caplog.text


def test_with_its_data_back_the_jobs_go_on(node: Node, beat):
    attempt = runs(node)
    kept = {name: node.store.redis.hgetall(key) for name, key in _hashes(node).items()}
    node.store.redis.flushall()
    beat()
    assert node.is_holding
    for name, key in _hashes(node).items():
        node.store.redis.hset(key, mapping=kept[name])
    beat()
    assert not node.is_holding
    assert attempt.stop_reason == ""
    assert attempt.held_until > lease_guard.now()


def _hashes(node: Node) -> dict[str, str]:
    return {"identity": keys.IDENTITY, "job": keys.job("job")}


def test_another_redis_in_its_place_is_noticed_though_it_has_jobs_of_its_own(node: Node, beat):
    attempt = runs(node)
    node.store.redis.flushall()
    node.store.identity.ensure()
    beat()
    assert node.is_holding
    assert attempt.stop_reason == ""


def test_once_somebody_recovered_jobs_the_copies_end(node: Node, beat):
    attempt = runs(node)
    node.store.redis.flushall()
    beat()
    node.store.identity.note_recovery()
    beat()
    assert attempt.stop_reason == LOST
    assert not node.is_holding


def test_a_recovery_of_long_ago_decides_nothing(node: Node, beat):
    attempt = runs(node)
    node.store.redis.flushall()
    node.store.identity.note_recovery()
    node.store.redis.hset(keys.IDENTITY, "recovered_ms", 1)
    beat()
    assert node.is_holding
    assert attempt.stop_reason == ""


def test_a_worker_without_jobs_serves_the_new_redis(node: Node, beat):
    node.store.redis.flushall()
    beat()
    assert not node.is_holding
    assert node.takes_jobs
    assert node.store.identity.read().name


def test_one_that_is_stopped_lets_its_jobs_save_their_state(node: Node, beat):
    attempt = runs(node)
    node.store.redis.flushall()
    beat()
    node.is_stopping = True
    beat()
    assert attempt.held_until > lease_guard.now()
