"""A job takes little room in Redis: its spec is packed, its record stays compact."""

from __future__ import annotations

import json

import pytest

from fusionq.errors import NotFoundError
from fusionq.spec.load import from_yaml
from fusionq.spec.states import Outcome
from fusionq.store.packing import pack, unpack
from fusionq.store.store import Store
from tests.support import ONE_JOB, register

SPEC = {"name": "é", "optimizer": {"lr": float("inf")}, "model": None, "queue": "default"}
RESULT = {"values": {"test_accuracy": 0.91}, "best_model": "/srv/runs/" + 20 * "m", "notes": 200 * "n"}
FIELDS = {
    "name": "tiny",
    "queue": "default",
    "priority": 0,
    "user": "ada",
    "workdir": "/home/ada/" + 80 * "w",
    "provenance": json.dumps({"commit": 40 * "c", "branch": "main", "dirty": False}),
}


def test_a_packed_spec_comes_back_as_it_was():
    assert unpack(pack(SPEC)) == SPEC


def test_the_spec_of_a_job_and_of_a_trial_is_stored_packed(any_store: Store):
    any_store.jobs.submit("j", SPEC, FIELDS)
    any_store.sweeps.submit("s", SPEC, FIELDS, [("s-1", SPEC, FIELDS)])
    assert [any_store.jobs.spec(each) for each in ("j", "s", "s-1")] == [SPEC] * 3
    with pytest.raises(NotFoundError):
        any_store.jobs.spec("s-2")


def test_a_packed_spec_takes_half_of_its_bytes():
    spec = from_yaml(ONE_JOB).to_data()
    assert len(pack(spec)) < len(json.dumps(spec)) / 2


def test_a_job_that_is_over_takes_under_2_5_kilobytes(store: Store):
    register(store, "w")
    store.jobs.submit("j", from_yaml(ONE_JOB).to_data(), FIELDS)
    attempt = store.jobs.assign("j", "w", (), 60.0)
    store.jobs.start("j", attempt, 60.0, "/srv/runs/j")
    store.jobs.note_progress("j", {"kind": "epoch", "epoch": 3, "values": {"test_accuracy": 0.91}})
    store.jobs.finish("j", attempt, Outcome.SUCCEEDED, "", RESULT)
    assert sum(store.redis.memory_usage(key) for key in store.redis.scan_iter("*:j")) < 2500
