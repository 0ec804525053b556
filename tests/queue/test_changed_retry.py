"""A job that has ended goes on with changes of its job file, as far as its state allows them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fusionq.errors import SpecError, StateError, UsageError
from fusionq.queue.changed_retry import retry_changed, retry_with
from fusionq.queue.current_spec import read_current_spec
from fusionq.spec.load import from_yaml
from fusionq.spec.states import Outcome, Status
from fusionq.store.store import Store
from tests.cli.jobs import finished
from tests.queue.submitted import submit
from tests.queue.test_submitting import FakeSender
from tests.support import ONE_JOB, register, running


@pytest.fixture
def job_id(store: Store, tmp_path: Path) -> str:
    """A job that has trained its 10 epochs."""
    return ended(store, tmp_path)


def ended(store: Store, folder: Path, text: str = ONE_JOB, **result: Any) -> str:
    job_id = submit(store, FakeSender(), from_yaml(text), folder)
    register(store, slots=100)
    running(store, job_id)
    assert store.jobs.finish(job_id, 1, Outcome.SUCCEEDED, "", {"epochs": 10, **result})
    return job_id


def test_one_that_has_succeeded_goes_on_with_more_epochs(store: Store, job_id: str) -> None:
    assert retry_changed(store, job_id, ["train.epochs=40"]) == "retried"
    record = store.jobs.get(job_id)
    assert (record.status, record.outcome, record.fresh_after) == (Status.QUEUED, None, 0)
    assert store.jobs.spec(job_id)["train"]["epochs"] == 40


def test_what_its_record_says_changes_too(store: Store, job_id: str) -> None:
    before = store.redis.hget(f"fusionq:job:{job_id}", "digest")
    changes = ["queue=large", "priority=3", "tags=[again]", "resources.memory=2GB", "wait_timeout=1h"]
    assert retry_changed(store, job_id, changes) == "retried"
    record = store.jobs.get(job_id)
    assert (record.queue, record.priority, record.tags) == ("large", 3, ("again",))
    assert "large" in store.queues.counts()
    running(store, job_id)
    assert store.jobs.finish(job_id, 2, Outcome.FAILED, "odd")
    assert retry_changed(store, job_id, ["~resources.memory", "~wait_timeout"]) == "retried"
    stored = store.redis.hgetall(f"fusionq:job:{job_id}")
    assert (stored["needs"], stored["wait_timeout"]) == ("", "")
    assert stored["digest"] != before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("model.out_features=11", "cannot go on with another model.out_features"),
        ("optimizer.lr=0.5", "cannot go on with another optimizer.lr"),
        ("data.batch_size=7", "cannot go on with another data.batch_size"),
        ("resources.processes=2", "goes on exactly only in as many processes"),
        ("train.epochs=10", "train.epochs=10"),
        ("train.epochs=9", "has trained 10 epochs already"),
        ("name=other", "name of a job cannot change"),
        ("hold=true", "hold is not changed in the job file; fusionq hold"),
        ("train.epochs=20,30", "a job takes one value for each key"),
    ],
)
def test_what_it_cannot_go_on_with_is_refused(store: Store, job_id: str, change: str, said: str) -> None:
    if change == said:  # nothing changes: the job is as it was
        assert retry_changed(store, job_id, [change]) == "retried"
        return
    with pytest.raises(UsageError, match=re.escape(said)):
        retry_changed(store, job_id, [change])
    assert store.jobs.get(job_id).is_finished


def test_anew_nearly_everything_may_change(store: Store, job_id: str) -> None:
    assert retry_changed(store, job_id, ["optimizer.lr=0.5", "train.epochs=2"], fresh=True) == "retried"
    record = store.jobs.get(job_id)
    assert record.fresh_after == 1
    assert store.jobs.spec(job_id)["optimizer"]["lr"] == 0.5


def test_a_mistake_is_told_as_when_submitting(store: Store, job_id: str) -> None:
    with pytest.raises(SpecError, match=r"train\.epochs"):
        retry_changed(store, job_id, ["train.epochs=many"])
    with pytest.raises(SpecError, match="epoch"):
        retry_changed(store, job_id, ["train.epoch=40"])


def test_a_scheduler_of_fixed_length_has_no_more_epochs(store: Store, tmp_path: Path) -> None:
    one_cycle = "lr_scheduler: {_target_: OneCycleLR, max_lr: 0.1, total_steps: 100}\n"
    job_id = ended(store, tmp_path, ONE_JOB + one_cycle)
    with pytest.raises(UsageError, match="OneCycleLR"):
        retry_changed(store, job_id, ["train.epochs=40"])
    assert retry_changed(store, job_id, ["timeout=1h"]) == "retried"


def test_one_that_runs_is_left_as_it_is(store: Store) -> None:
    finished(store, "aaa", Outcome.FAILED)
    store.jobs.retry("aaa")
    assert retry_changed(store, "aaa", ["train.epochs=40"]) == "active"
    assert store.jobs.spec("aaa")["train"]["epochs"] == 10


def test_whoever_was_slower_with_a_change_is_told(store: Store, job_id: str) -> None:
    """An editor may stay open while somebody else goes on with the job, to its next end."""
    current = read_current_spec(store, job_id)
    slow = current.with_overrides(["train.epochs=20"])
    assert retry_changed(store, job_id, ["train.epochs=40"]) == "retried"
    running(store, job_id)
    assert store.jobs.finish(job_id, 2, Outcome.FAILED, "odd")
    with pytest.raises(StateError, match="edited by somebody else meanwhile; edit it again: fusionq retry"):
        retry_with(store, current, slow)
    assert store.jobs.get(job_id).is_finished
    assert store.jobs.spec(job_id)["train"]["epochs"] == 40
