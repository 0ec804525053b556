"""`wait` returns when jobs are over, with the exit code of the first that did not succeed."""

from __future__ import annotations

import threading

import pytest

from fusionq.client import wait as wait_module
from fusionq.spec.states import Outcome
from fusionq.store.store import Store
from fusionq.store.streams import BEGINNING, Streams
from tests.cli.conftest import Cli
from tests.support import register, running, submit, wait_until


def ended(store: Store, job_id: str, outcome: Outcome) -> str:
    submit(store, job_id)
    attempt = running(store, job_id)
    assert store.jobs.finish(job_id, attempt, outcome, "")
    return job_id


def test_the_exit_code_is_that_of_the_first_that_did_not_succeed(cli: Cli, store: Store):
    register(store, slots=9)
    ended(store, "good", Outcome.SUCCEEDED)
    ended(store, "slow", Outcome.TIMED_OUT)
    ended(store, "bad", Outcome.FAILED)
    assert cli("wait", "good").code == 0
    assert cli("wait", "good", "slow", "bad").code == 5


def test_a_job_that_ends_meanwhile_wakes_it(cli: Cli, store: Store):
    register(store)
    submit(store, "job")
    attempt = running(store, "job")
    done: list[int] = []

    def call() -> None:
        done.append(cli("wait", "--state", "running").code)

    waiting = threading.Thread(target=call)
    waiting.start()
    wait_until(lambda: store.redis.info("clients")["blocked_clients"], timeout_s=20, what="a blocked reader")
    store.jobs.finish("job", attempt, Outcome.FAILED, "")
    waiting.join(timeout=60)
    assert done == [1]


def test_it_waits_for_a_state_that_is_not_the_last(cli: Cli, store: Store):
    register(store)
    submit(store, "job")
    running(store, "job")
    assert cli("wait", "job", "--until", "running").code == 0
    assert cli("wait", "job", "--until", "queued").code == 0


def test_it_gives_up_after_a_time(cli: Cli, store: Store):
    submit(store, "job")
    done = cli("wait", "job", "--timeout", "0.1s")
    assert (done.code, done.err) == (124, "fusionq: job is not finished after 0.1 s\n")


def test_a_job_that_is_removed_meanwhile_ends_the_wait(
    cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(wait_module, "LONGEST_BLOCK_S", 0.01)
    register(store)
    submit(store, "job")

    def remove(self: Streams, *args):
        store.jobs.cancel("job", "")
        store.removal.remove(["job"])
        return BEGINNING, []  # its events are no longer in Redis

    monkeypatch.setattr(Streams, "changes", remove)
    done = cli("wait", "job")
    assert (done.code, done.err) == (3, "1 job removed meanwhile\n")


@pytest.mark.parametrize("arguments", [(), ("job", "--timeout", "soon"), ("job", "--state", "queued")])
def test_what_makes_no_sense_is_refused(cli: Cli, store: Store, arguments: tuple[str, ...]):
    submit(store, "job")
    assert cli("wait", *arguments).code == 2


def test_nothing_to_wait_for_is_no_failure(cli: Cli):
    assert cli("wait", "--all").code == 0
