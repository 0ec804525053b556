"""A submission: once it returned the job is safe."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError

from fusionq.errors import StoreUnavailableError
from fusionq.queue import submitting
from fusionq.spec.job import JobSpec
from fusionq.spec.load import Loaded, from_yaml, load_file, parse_job
from fusionq.spec.secrets import MASK
from fusionq.store.connection import connect
from fusionq.store.outages import unavailable
from fusionq.store.store import Store
from tests.queue.submitted import submit, submit_sweep
from tests.support import ONE_JOB


class FakeSender:
    def __init__(self, error: Exception | None = None) -> None:
        self.wishes = 0
        self._error = error

    def ask_for_pass(self) -> None:
        self.wishes += 1
        if self._error is not None:
            raise self._error


def spec(more: str = "") -> JobSpec:
    return from_yaml(ONE_JOB + more)


def test_a_submission_stores_the_job_and_asks_for_a_pass(store: Store, tmp_path: Path):
    sender = FakeSender()
    job_id = submit(
        store,
        sender,
        spec("queue: big\npriority: 7\ntags: [x, y]\nresources: {gpus: 1, gpu_memory: 20GB}"),
        tmp_path,
    )
    record = store.jobs.get(job_id)
    assert (record.name, record.queue, record.priority, record.gpus) == ("tiny", "big", 7, "1")
    assert record.gpu_memory == 20_000_000_000
    assert (record.tags, record.workdir, record.status) == (("x", "y"), str(tmp_path), "queued")
    assert record.user
    assert sender.wishes == 1


def test_what_is_stored_is_the_whole_spec(store: Store, tmp_path: Path):
    job_id = submit(store, FakeSender(), spec(), tmp_path)
    assert parse_job(store.jobs.spec(job_id)) == spec()


def test_a_job_is_safe_although_no_message_could_be_sent(store: Store, tmp_path: Path):
    sender = FakeSender(StoreUnavailableError("gone"))
    job_id = submit(store, sender, spec(), tmp_path)
    assert sender.wishes == 1
    assert store.jobs.get(job_id).status == "queued"
    assert store.jobs.has_pending()


def test_without_redis_nothing_was_submitted_and_it_says_so(tmp_path: Path):
    store = Store(connect(f"unix://{tmp_path}/nobody.sock"))
    sender = FakeSender()
    with pytest.raises(StoreUnavailableError):
        submit(store, sender, spec(), tmp_path)
    assert sender.wishes == 0


def test_ids_are_short_and_cannot_be_misread(store: Store, tmp_path: Path):
    ids = {submit(store, FakeSender(), spec(), tmp_path) for _ in range(20)}
    assert len(ids) == 20
    assert all(re.fullmatch(r"[a-hjkmnp-z2-9]{8}", job_id) for job_id in ids)


def test_an_id_that_is_taken_is_not_used_again(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ids = iter(["same", "same", "other"])
    monkeypatch.setattr(submitting, "_new_id", lambda: next(ids))
    assert submit(store, FakeSender(), spec(), tmp_path) == "same"
    assert submit(store, FakeSender(), spec(), tmp_path) == "other"
    assert store.jobs.count() == 2


def test_a_relative_folder_is_stored_as_an_absolute_one(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    job_id = submit(store, FakeSender(), spec(), Path("."))
    assert store.jobs.get(job_id).workdir == str(tmp_path)


# --- an answer that is lost --------------------------------------------------------------------------


class CutLink:
    """A way to Redis that loses the answers of so many scripts: they are done, and nobody hears of it."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.left = times
        self._run = store.jobs._scripts.run
        monkeypatch.setattr(store.jobs._scripts, "run", self)
        monkeypatch.setattr(submitting, "RETRY_S", 0.001)

    def __call__(self, name: str, *args, **more):
        answer = self._run(name, *args, **more)
        if name.startswith("submit") and self.left:
            self.left -= 1
            raise unavailable("redis://box", ConnectionError("Connection reset by peer"))
        return answer


def test_a_submission_whose_answer_was_lost_finds_its_job_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    CutLink(store, monkeypatch, times=2)
    job_id = submit(store, FakeSender(), spec(), tmp_path)
    assert [record.id for record in store.jobs.newest(9)] == [job_id]


def test_a_sweep_whose_answer_was_lost_is_one(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    CutLink(store, monkeypatch, times=1)
    loaded = load(tmp_path, SWEEP)
    sweep_id = submit_sweep(store, FakeSender(), loaded.spec, loaded.trials, tmp_path)
    assert store.sweeps.get(sweep_id).total == 4
    assert store.num_rows() == 1


def test_where_no_answer_ever_comes_it_says_what_may_be_queued(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    CutLink(store, monkeypatch, times=10**9)
    monkeypatch.setattr(submitting, "ANSWER_S", 0.0)
    with pytest.raises(StoreUnavailableError) as caught:
        submit(store, FakeSender(), spec(), tmp_path)
    job_id = store.jobs.newest(1)[0].id
    assert f"it may be queued as {job_id}: look with `fusionq status {job_id}`" in str(caught.value)


# --- held ----------------------------------------------------------------------------------------------


def test_a_job_is_held_from_its_first_moment(store: Store, tmp_path: Path):
    job_id = submit(store, FakeSender(), spec("hold: true"), tmp_path)
    record = store.jobs.get(job_id)
    assert record.status == "waiting"
    assert record.held.startswith("held by ")
    assert store.jobs.release(job_id)["released"] == 1
    assert store.jobs.get(job_id).status == "queued"


def test_trials_are_held_too(store: Store, tmp_path: Path):
    loaded = load(tmp_path, SWEEP + "hold: true\n")
    sweep_id = submit_sweep(store, FakeSender(), loaded.spec, loaded.trials, tmp_path)
    assert {trial.status for trial in store.sweeps.trials(sweep_id)} == {"waiting"}
    assert store.jobs.release(sweep_id)["released"] == 4
    assert [trial.status for trial in store.sweeps.trials(sweep_id)].count("queued") == 3


# --- sweeps ------------------------------------------------------------------------------------------


def load(tmp_path: Path, text: str) -> Loaded:
    file = tmp_path / "job.yaml"
    file.write_text(ONE_JOB + text)
    (loaded,) = load_file(file, workdir=tmp_path)
    return loaded


SWEEP = """
tags: [x]
sweep:
  params: {optimizer.lr: [0.1, 0.2], priority: [1, 2]}
  max_parallel: 3
"""


def test_a_sweep_is_stored_with_its_trials_and_asks_for_one_pass(store: Store, tmp_path: Path):
    sender, loaded = FakeSender(), load(tmp_path, SWEEP)
    sweep_id = submit_sweep(store, sender, loaded.spec, loaded.trials, tmp_path)
    sweep = store.sweeps.get(sweep_id)
    assert (sweep.name, sweep.total, sweep.method, sweep.max_parallel) == ("tiny", 4, "grid", 3)
    assert (sweep.params, sweep.tags, sweep.workdir) == (("optimizer.lr", "priority"), ("x",), str(tmp_path))
    trials = store.sweeps.trials(sweep_id)
    assert [trial.params for trial in trials] == [trial.params for trial in loaded.trials]
    assert [trial.priority for trial in trials] == [1, 2, 1, 2]
    assert {trial.name for trial in trials} == {"tiny"}
    assert parse_job(store.jobs.spec(f"{sweep_id}-3")) == loaded.trials[2].spec
    assert store.jobs.spec(sweep_id)["sweep"]["max_parallel"] == 3
    assert sender.wishes == 1


def test_records_show_no_secret_that_a_sweep_varies(store: Store, tmp_path: Path):
    loaded = load(tmp_path, "sweep: {params: {env.API_KEY: [one, two]}}")
    sweep_id = submit_sweep(store, FakeSender(), loaded.spec, loaded.trials, tmp_path)
    assert [trial.params for trial in store.sweeps.trials(sweep_id)] == [{"env.API_KEY": MASK}] * 2


def test_a_sweep_of_which_an_id_is_taken_gets_another(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ids = iter(["same", "same", "other"])
    monkeypatch.setattr(submitting, "_new_id", lambda: next(ids))
    loaded = load(tmp_path, SWEEP)
    assert submit(store, FakeSender(), spec(), tmp_path) == "same"
    assert submit_sweep(store, FakeSender(), loaded.spec, loaded.trials, tmp_path) == "other"


def test_trials_with_names_of_their_own_are_found_by_them(store: Store, tmp_path: Path):
    loaded = load(tmp_path, "sweep: {params: {name: [small, large]}}")
    sweep_id = submit_sweep(store, FakeSender(), loaded.spec, loaded.trials, tmp_path)
    assert store.jobs.find("large") == f"{sweep_id}-2"


def test_a_time_to_start_at_becomes_a_moment_by_the_clock_of_redis(store: Store, tmp_path: Path):
    before = store.now()
    job_id = submit(store, FakeSender(), spec("not_before: +2h\nwait_timeout: 12h"), tmp_path)
    record = store.jobs.get(job_id)
    assert before + 7200 <= record.due_at + 0.001 <= store.now() + 7200.001
    assert (record.status, record.wait_timeout) == ("waiting", 43_200)
    meant = datetime.fromisoformat(store.jobs.spec(job_id)["not_before"])
    assert meant.timestamp() == pytest.approx(record.due_at), (
        "what is stored means the same whenever it is read"
    )


def test_every_trial_of_a_sweep_starts_no_earlier(store: Store, tmp_path: Path):
    loaded = load(tmp_path, SWEEP + "not_before: +2h\n")
    sweep_id = submit_sweep(store, FakeSender(), loaded.spec, loaded.trials, tmp_path)
    assert {trial.reason for trial in store.sweeps.trials(sweep_id)} == {"waits for its time"}
