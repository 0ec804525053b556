"""Every move of jobs, by several clients in any order, beside a model of a few lines of Python.

Hypothesis chooses the moves, and shortens what breaks a promise to the fewest that do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.connection import connect
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.store import Store
from tests.store.moves import FAR_S, LEGAL, NUM_CLIENTS, Moves, moves_made
from tests.support import assigned, register, running, submit


def play(stores: list[Store], **how: Any) -> None:
    machine = type("Moves", (Moves,), {"stores": stores})
    checks = list(HealthCheck)
    run_state_machine_as_test(
        machine,
        settings=settings(
            deadline=None, derandomize=True, database=None, suppress_health_check=checks, **how
        ),
    )


def test_any_sequence_of_moves_keeps_every_promise():
    server = fakeredis.FakeServer()
    stores = [Store(fakeredis.FakeRedis(server=server, decode_responses=True)) for _ in range(NUM_CLIENTS)]
    play(stores, max_examples=8, stateful_step_count=30)


@pytest.fixture
def stores(redis_server: EmbeddedRedis) -> Iterator[list[Store]]:
    """Several clients of the real Redis."""
    stores = [Store(connect(redis_server.url), redis_server.url) for _ in range(NUM_CLIENTS)]
    yield stores
    for store in stores:
        store.close()


def test_the_same_on_a_real_redis(stores: list[Store]):
    play(stores, max_examples=60, stateful_step_count=60)


def test_every_legal_move_can_be_made(any_store: Store):
    jobs = any_store.jobs
    register(any_store, slots=99)
    later = round((any_store.now() + FAR_S) * 1000)
    for number in range(13):
        submit(any_store, f"j{number}", due_at=later if number < 2 else 0)
    jobs.hold("j0", "held")
    any_store.redis.hset(keys.job("j0"), "due_at", 1)
    jobs.release("j0")  # waiting > queued
    jobs.cancel("j1", "")  # waiting > finished
    jobs.hold("j2", "held")  # queued > waiting
    jobs.cancel("j3", "")  # queued > finished
    jobs.requeue("j4", assigned(any_store, "j4"), "")  # queued > assigned > queued
    jobs.requeue("j5", assigned(any_store, "j5"), "", delay_s=FAR_S)  # assigned > waiting
    assigned(any_store, "j6")
    jobs.cancel("j6", "")  # assigned > finished
    jobs.requeue("j7", running(any_store, "j7"), "")  # assigned > running > queued
    jobs.requeue("j8", running(any_store, "j8"), "", delay_s=FAR_S)  # running > waiting
    jobs.finish("j9", running(any_store, "j9"), Outcome.FAILED, "")  # running > finished
    jobs.retry("j9")  # finished > queued
    submit(any_store, "child", after="j10")
    jobs.cancel("child", "")
    jobs.retry("child")  # finished > waiting
    assert moves_made(any_store) == LEGAL
