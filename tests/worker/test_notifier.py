"""Whoever wants to hear of a job is told, once for each event, whatever happened to it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from fusionq.spec.load import from_yaml
from fusionq.spec.states import Outcome
from fusionq.store import keys
from fusionq.store.packing import pack
from fusionq.store.store import Store
from fusionq.worker import notifications as notifier
from fusionq.worker.notifications import Notifier
from tests.store.swept import submit_sweep
from tests.support import ONE_JOB, register, running, wait_until
from tests.worker.hook import Hook, hook

SECRET = "t0ken"


@pytest.fixture
def seen() -> Iterator[Hook]:
    with hook() as seen:
        yield seen


@pytest.fixture
def sender(store: Store) -> Iterator[Notifier]:
    sender = Notifier(store)
    yield sender
    sender.finish()


def submit(store: Store, job_id: str, *wanted: tuple[list[str], str]) -> str:
    spec = from_yaml(ONE_JOB).to_data()
    spec["notify"] = [{"on": on, "url": url} for on, url in wanted]
    fields = {
        "name": "tiny",
        "queue": "default",
        "priority": 0,
        "user": "ada",
        "notify": json.dumps([on for on, _ in wanted]),
    }
    register(store, slots=100)
    assert store.jobs.submit(job_id, spec, fields)
    return job_id


def run(store: Store, job_id: str, outcome: Outcome, reason: str = "", **result) -> None:
    attempt = running(store, job_id)
    assert store.jobs.finish(job_id, attempt, outcome, reason, result)


def send(sender: Notifier) -> None:
    sender.see_to_it()
    sender.finish()


def nothing_is_left(store: Store) -> bool:
    return not store.redis.exists(keys.NOTICES) and not store.redis.exists(keys.NOTICE_TRIES)


def test_a_webhook_is_told_what_it_wants_to_hear_and_once(store: Store, sender: Notifier, seen: Hook):
    submit(store, "aaa", (["started", "succeeded"], seen.url), (["failed"], seen.url))
    run(store, "aaa", Outcome.SUCCEEDED, best_epoch=3, monitor="test_accuracy", best_value=0.97)
    send(sender)
    send(sender)
    started, succeeded = seen.told
    assert started["event"] == "started"
    assert succeeded["text"] == "tiny (aaa) succeeded: best test_accuracy 0.97 in epoch 3"
    assert succeeded["job"]["state"] == "succeeded"
    assert succeeded["job"]["user"] == "ada"
    assert started["id"] != succeeded["id"]
    assert nothing_is_left(store)


@pytest.mark.parametrize("how", ["cancelled", "reaped", "waited"])
def test_who_ends_without_a_worker_is_told_of_too(store: Store, sender: Notifier, seen: Hook, how: str):
    submit(store, "aaa", (["cancelled", "failed", "timed_out"], seen.url))
    if how == "cancelled":
        store.jobs.cancel("aaa", "enough")
    elif how == "reaped":
        attempt = running(store, "aaa", lease_s=0.01)
        wait_until(store.jobs.expired)
        store.jobs.reap("aaa", attempt, delay_s=None, reason="its worker was lost", failure="worker_lost")
    else:
        store.redis.zadd(keys.OVERDUE, {"aaa": 1})
        store.redis.hset(keys.job("aaa"), "wait_timeout", 1)
        store.jobs.promote()
    send(sender)
    [told] = seen.told
    assert told["event"] == {"cancelled": "cancelled", "reaped": "failed", "waited": "timed_out"}[how]
    assert told["job"]["reason"] in told["text"]


def test_a_job_starts_once_until_somebody_retries_it(store: Store, sender: Notifier, seen: Hook):
    submit(store, "aaa", (["started", "failed"], seen.url))
    store.jobs.requeue("aaa", running(store, "aaa"), "its worker was shut down")
    run(store, "aaa", Outcome.FAILED, "odd")
    assert store.jobs.retry("aaa") == "retried"
    run(store, "aaa", Outcome.FAILED, "odd again")
    send(sender)
    assert [told["event"] for told in seen.told] == ["started", "failed"] * 2


def test_of_a_sweep_its_end_is_told_once(store: Store, sender: Notifier, seen: Hook):
    submit_sweep(store, "s", 2)
    spec = from_yaml(ONE_JOB).to_data() | {"notify": [{"on": ["succeeded"], "url": seen.url}]}
    store.redis.set(keys.spec("s"), pack(spec))
    store.redis.hset(keys.sweep("s"), "notify", json.dumps([["succeeded"]]))
    register(store, slots=9)
    for trial in store.sweeps.trial_ids("s"):
        run(store, trial, Outcome.SUCCEEDED)
    send(sender)
    [told] = seen.told
    assert (told["job"]["id"], told["job"]["state"]) == ("s", "succeeded")


def test_what_was_not_heard_is_told_again_and_in_the_end_given_up(
    store: Store, sender: Notifier, seen: Hook, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(notifier, "BACKOFF_S", (0.0, 0.0))
    seen.answers = [500, 503]
    submit(store, "aaa", (["succeeded"], seen.url))
    run(store, "aaa", Outcome.SUCCEEDED)
    send(sender)
    assert len(seen.told) == 1
    assert nothing_is_left(store)
    assert store.jobs.get("aaa").warning == ""
    seen.answers = [500] * 9
    submit(store, "bbb", (["succeeded"], seen.url))
    run(store, "bbb", Outcome.SUCCEEDED)
    send(sender)
    assert store.jobs.get("bbb").warning == "could not tell of succeeded: 127.0.0.1 answered 500"
    assert len(seen.answers) == 9 - 3
    assert nothing_is_left(store)


def test_two_workers_do_not_tell_it_twice(store: Store, seen: Hook):
    for number in range(20):
        submit(store, f"j{number}", (["succeeded"], seen.url))
        run(store, f"j{number}", Outcome.SUCCEEDED)
    senders = [Notifier(store), Notifier(store)]
    for sender in senders:
        sender.begin()
    for sender in senders:
        sender.finish()
    assert sorted(told["job"]["id"] for told in seen.told) == sorted(f"j{number}" for number in range(20))


def test_the_address_comes_from_the_environment_and_appears_nowhere(
    store: Store,
    sender: Notifier,
    seen: Hook,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    submit(store, "aaa", (["succeeded"], "env:HOOK_OF_ADA"))
    run(store, "aaa", Outcome.SUCCEEDED)
    monkeypatch.setenv("HOOK_OF_ADA", f"{seen.url}?token={SECRET}")
    seen.answers = [403]
    monkeypatch.setattr(notifier, "BACKOFF_S", (0.0,))
    send(sender)
    assert len(seen.told) == 1
    assert SECRET not in caplog.text
    for key in store.redis.keys("*"):
        kind = store.redis.type(key)
        held = store.redis.hgetall(key) if kind == "hash" else ""
        assert SECRET not in str(held)


def test_a_webhook_leads_nowhere_else(
    store: Store, sender: Notifier, seen: Hook, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(notifier, "BACKOFF_S", ())
    submit(store, "aaa", (["succeeded"], seen.url))
    run(store, "aaa", Outcome.SUCCEEDED)
    seen.answers = [302]
    send(sender)
    assert store.jobs.get("aaa").warning == "could not tell of succeeded: 127.0.0.1 answered 302"
    assert seen.fetched == []


def test_a_variable_that_is_missing_is_named(store: Store, sender: Notifier, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(notifier, "BACKOFF_S", ())
    submit(store, "aaa", (["succeeded"], "env:NOT_THERE"))
    run(store, "aaa", Outcome.SUCCEEDED)
    send(sender)
    assert "the worker's environment has no variable NOT_THERE" in store.jobs.get("aaa").warning


def test_other_services_are_told_through_apprise(
    store: Store, sender: Notifier, seen: Hook, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("apprise")
    monkeypatch.setenv("SERVICE", seen.url.replace("http://", "json://"))
    submit(store, "aaa", (["failed"], "env:SERVICE"))
    run(store, "aaa", Outcome.FAILED, "ValueError: odd")
    send(sender)
    [told] = seen.told
    assert (told["title"], told["message"]) == ("tiny (aaa) failed", "ValueError: odd")


def test_a_job_that_was_removed_meanwhile_is_not_told_of(store: Store, sender: Notifier, seen: Hook):
    submit(store, "aaa", (["succeeded"], seen.url))
    run(store, "aaa", Outcome.SUCCEEDED)
    store.redis.delete(keys.job("aaa"))
    send(sender)
    assert seen.told == []
    assert nothing_is_left(store)


def test_a_webhook_with_a_user_and_a_password_is_told(
    store: Store, sender: Notifier, seen: Hook, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOOK", seen.url.replace("http://", "http://ada:p%40ss@"))
    submit(store, "aaa", (["succeeded"], "env:HOOK"))
    run(store, "aaa", Outcome.SUCCEEDED)
    send(sender)
    assert len(seen.told) == 1
    assert seen.authorizations == ["Basic YWRhOnBAc3M="]
