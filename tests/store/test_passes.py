"""Scheduling passes: one at a time, and no wish is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from fusionq.store import keys
from fusionq.store.connection import connect
from fusionq.store.store import Store
from tests.support import wait_until


def test_only_one_pass_runs_at_a_time(any_store: Store):
    passes = any_store.passes
    assert passes.begin("one")
    assert not passes.begin("two")
    passes.end("one")
    passes.end("one")
    assert passes.begin("two")


def test_a_wish_during_a_pass_makes_the_holder_look_again(any_store: Store):
    passes = any_store.passes
    passes.begin("one")
    assert not passes.begin("two")
    assert passes.end("one")
    assert not passes.begin("three")
    assert passes.end("one")
    assert not passes.end("one")
    assert passes.begin("four")


def test_several_wishes_during_a_pass_are_one_more_look(any_store: Store):
    passes = any_store.passes
    passes.begin("one")
    for token in ("two", "three", "four"):
        assert not passes.begin(token)
    assert passes.end("one")
    assert not passes.end("one")


def test_a_pass_without_a_wish_ends_at_once(any_store: Store):
    any_store.passes.begin("one")
    assert not any_store.passes.end("one")
    assert not any_store.redis.exists(keys.PASS_LOCK)


def test_nobody_else_ends_a_pass(any_store: Store):
    passes = any_store.passes
    passes.begin("one")
    passes.begin("two")
    assert not passes.end("two")
    assert any_store.redis.get(keys.PASS_LOCK) == "one"
    assert passes.end("one")


def test_a_pass_whose_holder_died_ends_by_itself(any_store: Store):
    any_store.passes.begin("dead")
    assert 0 < any_store.redis.pttl(keys.PASS_LOCK) <= 10_000
    any_store.redis.pexpire(keys.PASS_LOCK, 20)
    wait_until(lambda: any_store.passes.begin("next"), what="the lock to expire")
    assert not any_store.passes.end("dead")


def test_many_wishes_are_one_message(any_store: Store):
    assert any_store.passes.wish()
    assert not any_store.passes.wish()


def test_a_wish_after_a_pass_began_is_a_new_message(any_store: Store):
    any_store.passes.wish()
    any_store.passes.begin("one")
    assert any_store.passes.wish()


def test_of_many_at_once_exactly_one_begins(store: Store):
    def begin(token: int) -> bool:
        other = Store(connect(store.url))
        try:
            return other.passes.begin(str(token))
        finally:
            other.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(begin, range(16))) == 1


def test_only_one_reaps_and_its_turn_ends_by_itself(any_store: Store):
    assert any_store.passes.begin_reaping("one", 60)
    assert not any_store.passes.begin_reaping("two", 60)
    assert 0 < any_store.redis.pttl(keys.REAP_LOCK) <= 60_000
    any_store.redis.pexpire(keys.REAP_LOCK, 20)
    wait_until(lambda: any_store.passes.begin_reaping("two", 60), what="the end of the turn")
