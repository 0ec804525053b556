"""The scripts as Redis gets them."""

from __future__ import annotations

import pytest

from fusionq.spec.states import LEGAL_MOVES
from fusionq.store.scripts import Scripts, source
from fusionq.store.store import Store
from tests.store.test_keys import SCRIPTS
from tests.support import register, running, submit


def test_the_scripts_know_exactly_the_legal_moves():
    moves = {f"['{start}>{end}'] = true" for start, ends in LEGAL_MOVES.items() for end in ends}
    (line,) = [line for line in source("start").splitlines() if line.startswith("local LEGAL")]
    assert set(line.removeprefix("local LEGAL = {").removesuffix("}").split(", ")) == moves


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_finished_job_begins_again_by_a_retry_alone(name: str):
    may = "['finished>queued'] = true" in source(name)
    assert may == (name in ("retry", "retry_sweep", "quarantine"))


def test_a_redis_that_forgot_the_scripts_gets_them_again(store: Store):
    register(store)
    submit(store, "a")
    store.redis.script_flush()
    submit(store, "b")
    running(store, "b")
    assert store.jobs.count() == 2


def test_a_script_can_ride_on_a_pipeline(store: Store):
    scripts = Scripts(store.redis)
    submit(store, "a")
    store.redis.script_flush()
    pipe = store.redis.pipeline(transaction=False)
    scripts.run("renew", 1000, "a", 1, client=pipe)
    scripts.run("expired", client=pipe)
    assert pipe.execute() == [["lost"], []]


def test_a_submission_that_is_sent_again_after_a_lost_answer_is_one_job(any_store: Store):
    scripts = Scripts(any_store.redis)
    call = ["submit", "j", "{}", "token", 0, "name", "x", "queue", "default", "priority", 0]
    first = scripts.run(*call)
    assert first == "j"
    submit(any_store, "k")
    assert scripts.run(*call) == first
    assert scripts.run(*[part if part != "token" else "another" for part in call]) == 0
    assert [job.id for job in any_store.jobs.newest(9)] == ["j", "k"]
