"""A worker takes away old jobs, beside its beat."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import pytest

from fusionq.store import keys
from fusionq.worker import retention as module
from fusionq.worker.retention import Retention
from fusionq.worker.worker import Node
from tests.support import submit, wait_until


def old(node: Node, job_id: str) -> None:
    submit(node.store, job_id)
    node.store.jobs.cancel(job_id, "enough")
    node.store.redis.hset(keys.job(job_id), mapping={"finished_at": 1, "submitted_at": 1})


def test_old_jobs_go_and_it_is_told(node: Node, caplog: pytest.LogCaptureFixture):
    old(node, "a")
    submit(node.store, "b")
    with caplog.at_level(logging.INFO, "fusionq.worker"):
        Retention(node).see_to_it()
        wait_until(lambda: "1 old jobs were removed" in caplog.text)
    assert [record.id for record in node.store.jobs.newest(9)] == ["b"]


def test_one_worker_of_a_host_does_it_and_not_before_its_time(node: Node, make_node: Callable[..., Node]):
    first, second = Retention(node), Retention(make_node(name="w2"))
    first.see_to_it()
    assert 0 < node.store.redis.pttl(keys.clean_lock(os.uname().nodename)) <= module.EVERY_S * 1000
    old(node, "a")
    second.see_to_it()
    first.see_to_it()
    assert second._thread is None
    first._thread.join(timeout=5)


def test_an_error_does_not_end_the_beat(node: Node, monkeypatch, caplog: pytest.LogCaptureFixture):
    def fail(*_: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr(module, "retire", fail)
    Retention(node).see_to_it()
    wait_until(lambda: "removing old jobs failed" in caplog.text)
