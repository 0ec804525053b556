"""A job file of several documents: all of it is looked at before any of it is queued."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fusionq.errors import NotFoundError, SpecError, UsageError
from fusionq.queue.submission import Submitted, submit_all
from fusionq.spec.load import load_file
from fusionq.spec.settings import Settings
from fusionq.spec.states import Status
from fusionq.store.store import Store
from tests.queue.test_submitting import FakeSender
from tests.support import ONE_JOB

PREDICT = "name: child\ntask: predict\nmodel: {from: tiny}\ndata: {test: {_target_: Digits}}\n"
SWEEP = "sweep: {params: {optimizer.lr: [1e-2, 1e-3]}}\n"


@pytest.fixture
def put(store: Store, settings: Settings, tmp_path: Path):
    """Submit documents as one file."""

    def submit(*documents: str) -> list[Submitted]:
        file = tmp_path / "jobs.yaml"
        file.write_text("---\n".join(documents))
        return list(submit_all(store, FakeSender(), settings, load_file(file, workdir=tmp_path), tmp_path))

    return submit


def second(more: str = "") -> str:
    return ONE_JOB.replace("name: tiny", "name: second") + more


def test_every_document_is_a_job_in_its_order(store: Store, put):
    first, last = put(ONE_JOB, second())
    assert [row.id for row in store.rows(10)] == [first.id, last.id]
    assert [first.spec.name, last.spec.name] == ["tiny", "second"]


def test_a_later_job_waits_for_an_earlier_one_by_its_name(store: Store, put):
    put(ONE_JOB)  # an older one of that name is not meant
    first, last = put(ONE_JOB, second("after: [tiny]\n"))
    record = store.jobs.get(last.id)
    assert (record.after, record.status) == ((first.id,), Status.WAITING)
    assert store.jobs.spec(last.id)["after"] == [first.id]


def test_a_model_may_come_from_an_earlier_job(store: Store, put):
    first, child = put(ONE_JOB, PREDICT)
    assert store.jobs.get(child.id).model_from == first.id
    assert store.jobs.spec(child.id)["model"]["from"] == first.id


def test_a_job_may_wait_for_a_sweep_and_a_sweep_for_a_job(store: Store, put):
    first, sweep, last = put(ONE_JOB, second(SWEEP + "after: [tiny]\n"), ONE_JOB + "after: [second]\n")
    assert [trial.after for trial in store.sweeps.trials(sweep.id)] == [(first.id,)] * 2
    assert store.jobs.get(last.id).after == (sweep.id,)


@pytest.mark.parametrize("wrong", ["after: [nobody]\n", "after: [second]\n"])
def test_an_unknown_job_is_refused_before_anything_is_queued(store: Store, put, wrong: str):
    with pytest.raises(NotFoundError, match=r"after\[0\]: no such job"):
        put(ONE_JOB, second(wrong))
    assert store.num_rows() == 0


def test_a_sweep_gives_no_model(store: Store, put):
    with pytest.raises(UsageError, match=r"jobs.yaml:\d+:\d+: model.from: tiny gives no model; name one job"):
        put(ONE_JOB + SWEEP, PREDICT)
    assert store.num_rows() == 0


def test_a_mistake_in_one_document_keeps_all_from_the_queue(store: Store, put):
    with pytest.raises(SpecError, match="unknown key 'trian'"):
        put(ONE_JOB, second("trian: 1\n"))
    assert store.num_rows() == 0


def test_the_trials_of_a_sweep_share_their_code(store: Store, put, tmp_path: Path):
    (tmp_path / "own.py").write_text("")
    (sweep,) = put(ONE_JOB + "trainer: own.Trainer\n" + SWEEP)
    (code,) = {trial.code for trial in store.sweeps.trials(sweep.id)}
    assert code
    assert store.blobs.release(code, sweep.id)  # the sweep alone stands for them


def test_a_trial_that_alone_names_own_code_has_it_frozen(store: Store, put, tmp_path: Path):
    (tmp_path / "own.py").write_text("")
    (sweep,) = put(ONE_JOB + "sweep: {params: {trainer: [StandardModel, own.Trainer]}}\n")
    assert all(trial.code for trial in store.sweeps.trials(sweep.id))


@pytest.mark.parametrize("reference", ["after: [later]\n", "after: {jobs: [later], need: any}\n"])
def test_a_job_that_names_a_later_one_of_its_file_is_refused(store: Store, put, reference: str):
    put(ONE_JOB.replace("name: tiny", "name: later"))  # an older one of that name is not meant
    with pytest.raises(UsageError) as caught:
        put(ONE_JOB + reference, ONE_JOB.replace("name: tiny", "name: later\nafter: [tiny]"))
    assert re.search(
        r"jobs.yaml:\d+:\d+: after: later stands later in this file; a job comes after those before it",
        str(caught.value),
    )
    assert store.num_rows() == 1


def test_a_model_of_a_later_job_is_refused(store: Store, put):
    with pytest.raises(UsageError, match=r"model.from: tiny stands later in this file"):
        put(PREDICT, ONE_JOB)


def test_the_same_work_once_more_is_what_is_there(store: Store, put):
    (first,) = put(ONE_JOB + "unique: true\n")
    (second,) = put(ONE_JOB + "unique: true\nnot_before: +1h\n")
    assert (second.id, second.is_twin, first.is_twin) == (first.id, True, False)
    (other,) = put(ONE_JOB + "unique: true\npriority: 1\n")
    assert not other.is_twin
    assert store.num_rows() == 2


def test_other_code_is_other_work(store: Store, put, tmp_path: Path):
    job = ONE_JOB + "trainer: own.Trainer\nunique: true\n"
    (tmp_path / "own.py").write_text("x = 1")
    put(job)
    (tmp_path / "own.py").write_text("x = 2")
    (changed,) = put(job)
    assert not changed.is_twin
    (again,) = put(job)
    assert again.is_twin


def test_a_sweep_may_be_the_only_one_of_its_kind(store: Store, put):
    (first,) = put(ONE_JOB + SWEEP + "unique: true\n")
    (second,) = put(ONE_JOB + SWEEP + "unique: true\n")
    assert (second.id, second.is_twin) == (first.id, True)
    assert store.jobs.count() == 2


def test_a_job_after_a_twin_comes_after_what_is_there(store: Store, put):
    (there,) = put(ONE_JOB + "unique: true\n")
    _, child = put(ONE_JOB + "unique: true\n", second("after: [tiny]\n"))
    assert store.jobs.get(child.id).after == (there.id,)
