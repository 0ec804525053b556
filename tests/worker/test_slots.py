"""The slots of a worker, and how their number changes while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from fusionq.errors import NotFoundError
from fusionq.store.store import Store
from fusionq.worker.slots import Slots
from tests.support import register, wait_until


def test_no_more_are_held_than_there_are():
    slots = Slots(2)
    assert [slots.acquire() for _ in range(3)] == [True, True, False]
    slots.release()
    assert slots.acquire()


def test_who_waits_for_one_gets_it_when_there_are_more():
    slots = Slots(1)
    slots.acquire()
    got: list[bool] = []
    waiting = threading.Thread(target=lambda: got.append(slots.acquire(timeout_s=60)))
    waiting.start()
    slots.resize(2)
    waiting.join(timeout=30)
    assert got == [True]


def test_of_fewer_than_are_held_none_is_free_until_enough_are_given_back():
    slots = Slots(3)
    for _ in range(3):
        slots.acquire()
    slots.resize(1)
    slots.release()
    slots.release()
    assert not slots.acquire()
    slots.release()
    assert slots.acquire()


def test_a_worker_hears_at_once_of_another_number_and_says_so(make_node: Callable, make_beat: Callable):
    node = make_node(name="w", slots=1)
    limits: list[int] = []
    node.on_resize = limits.append
    make_beat(node)
    wait_until(lambda: node.store.workers.alive()[0].accepting, what="the worker ready")
    node.store.workers.set_slots("w", 3)
    wait_until(lambda: node.store.workers.alive()[0].slots == 3, timeout_s=30, what="three slots")
    wait_until(lambda: limits == [3], what="Celery told")


def test_a_worker_that_did_not_hear_finds_it_with_its_heartbeat(make_node: Callable, make_beat: Callable):
    node = make_node(name="w", slots=1, lease_s=1.0)
    node.store.workers.set_slots("w", 2)
    make_beat(node)
    wait_until(lambda: node.store.workers.alive()[0].slots == 2, timeout_s=30, what="two slots")


def test_another_life_of_a_worker_has_the_slots_of_its_options(any_store: Store):
    register(any_store, token="first", holds_s=60)
    any_store.workers.set_slots("worker", 5)
    assert any_store.workers.slots_wanted("worker", "first") == 5
    assert any_store.workers.slots_wanted("worker", "second") is None


def test_a_worker_that_does_not_live_cannot_be_changed(any_store: Store):
    with pytest.raises(NotFoundError, match="no worker is alive"):
        any_store.workers.set_slots("box", 2)
