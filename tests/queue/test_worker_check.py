"""A submission asks a worker for the deep check, and waits for it no longer than a moment."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

import fusionq
from fusionq.queue.worker_check import NO_WORKER, NONE_READY, Checked, Question, WorkerCheck, choose
from fusionq.spec.load import from_yaml
from fusionq.spec.verdict import Verdict
from fusionq.store.store import Store
from tests.support import ONE_JOB

PROBLEM = Verdict(problems=[(("model",), "model: wrong")])


class Answering:
    """Hands a question to a worker that answers at once; with None it stays silent."""

    def __init__(self, store: Store, answer: dict[str, Any] | None) -> None:
        self.store, self.answer = store, answer
        self.asked: list[tuple[str, Any]] = []

    def check(self, worker: str, token: str) -> None:
        self.asked.append((worker, self.store.checks.question(token)))
        assert self.store.checks.question(token) is None, "it is taken once"
        if self.answer is not None:
            self.store.checks.answer(token, self.answer)


def up(store: Store, name: str, **more: Any) -> None:
    fields = {"slots": 1, "accepting": 1, "queues": '["default"]', "gpus": "[]", "host": "h"}
    assert store.workers.register(name, "token", 60, {**fields, "version": fusionq.__version__, **more})


def ask(store: Store, answer: dict[str, Any] | None, tmp_path, within_s: float = 60.0, more: str = "") -> Any:
    sender = Answering(store, answer)
    check = WorkerCheck(store, sender, tmp_path, within_s)
    return check.of(Question([from_yaml(ONE_JOB + more)], "digest")), sender.asked


def test_the_verdicts_of_a_worker_come_back(store: Store, tmp_path):
    up(store, "w")
    found, ((worker, question),) = ask(store, {"verdicts": [PROBLEM.to_data()]}, tmp_path)
    assert found == Checked([PROBLEM])
    assert (worker, question["workdir"], question["code"]) == ("w", str(tmp_path), "digest")
    assert question["specs"][0]["model"]["in_features"] == 64
    assert store.redis.keys("fusionq:check*") == []


def test_who_is_not_answered_hears_why(store: Store, tmp_path):
    assert ask(store, None, tmp_path)[0] == Checked(skipped=NO_WORKER)
    up(store, "old", version="0.0.1")
    assert ask(store, None, tmp_path)[0] == Checked(skipped=NONE_READY)
    up(store, "w")
    found, _ = ask(store, None, tmp_path, within_s=0.05)
    assert found.skipped == "the worker w took longer than 0.05 s"
    found, _ = ask(store, {"skipped": "the worker w does not see /data"}, tmp_path)
    assert found == Checked(skipped="the worker w does not see /data")
    for key in store.redis.keys("fusionq:check*"):
        assert store.redis.ttl(key) > 0


def test_where_notices_go_is_nothing_that_a_check_needs(store: Store, tmp_path):
    up(store, "w")
    _, ((_, question),) = ask(
        store, {"skipped": "x"}, tmp_path, more="notify: [{url: 'env:HOOK', on: [failed]}]\n"
    )
    assert "HOOK" not in json.dumps(question)


@pytest.mark.parametrize(
    ("more", "chosen"),
    [
        ("", "here"),
        ("queue: night\n", "night"),
        ("resources: {labels: {site: berlin}}\n", "labelled"),
        ("queue: nowhere\n", None),
    ],
)
def test_a_worker_that_may_run_the_job_is_asked(store: Store, more: str, chosen: str | None):
    up(store, "full", slots=0)
    up(store, "here", host=socket.gethostname())
    up(store, "away", accepting=0)
    up(store, "night", queues='["night"]')
    up(store, "labelled", labels='["site=berlin"]')
    worker = choose(store.workers.alive(), [from_yaml(ONE_JOB + more)])
    assert (worker and worker.name) == chosen
