"""A job that was never started gets another job file, and keeps its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fusionq.errors import SpecError, StateError, UsageError
from fusionq.queue.changed_retry import retry_changed
from fusionq.queue.current_spec import read_current_spec
from fusionq.queue.job_edit import edit_job
from fusionq.spec.load import from_yaml, load_data
from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.store.store import Store
from tests.queue.submitted import submit, submit_sweep
from tests.queue.test_submitting import FakeSender
from tests.support import ONE_JOB, assigned, register, running


@pytest.fixture
def job_id(store: Store, tmp_path: Path) -> str:
    return queued(store, tmp_path)


def queued(store: Store, folder: Path, more: str = "") -> str:
    return submit(store, FakeSender(), from_yaml(ONE_JOB + more), folder)


def edit(store: Store, job_id: str, *changes: str) -> list[str]:
    current = read_current_spec(store, job_id)
    return edit_job(store, current, current.with_overrides(changes))


def edit_text(store: Store, job_id: str, old: str, new: str) -> list[str]:
    """What somebody does who replaces a text in an editor."""
    current = read_current_spec(store, job_id)
    text = current.to_text()
    assert old in text
    return edit_job(store, current, current.from_text(text.replace(old, new)))


def order(store: Store) -> list[str]:
    return [record.id for record in store.jobs.pending()]


def test_the_spec_and_what_the_record_says_of_it_change(store: Store, job_id: str) -> None:
    before = store.jobs.fields(job_id)
    changes = [
        "train.epochs=40",
        "queue=large",
        "priority=3",
        "tags=[new]",
        "name=other",
        "resources.memory=2GB",
    ]
    changed = edit(store, job_id, *changes)
    assert set(changed) == {"train.epochs", "queue", "priority", "tags", "name", "resources.memory"}
    record, after = store.jobs.get(job_id), store.jobs.fields(job_id)
    assert (record.status, record.reason, record.attempt) == (Status.QUEUED, "", 0)
    assert (record.queue, record.priority, record.tags, record.name) == ("large", 3, ("new",), "other")
    assert record.needs
    assert {key for key in before if before[key] != after[key]} == {
        *("queue", "priority", "tags", "name", "needs", "digest", "lane"),
    } & set(before)
    assert store.jobs.spec(job_id)["train"]["epochs"] == 40
    assert store.queues.tally() == {"queued": 1, "waiting": 0}
    assert set(store.queues.counts()) == {"large"}
    assert store.jobs.find("other") == job_id
    assert edit(store, job_id, "~resources.memory") == ["resources.memory"]
    assert store.jobs.fields(job_id)["needs"] == ""


def test_it_keeps_its_place_by_submission(store: Store, tmp_path: Path) -> None:
    ids = [queued(store, tmp_path) for _ in range(3)]
    assert edit(store, ids[0], "train.epochs=3")
    assert edit(store, ids[1], "resources.memory=1GB")
    assert order(store) == ids
    assert edit(store, ids[2], "priority=5")
    assert order(store) == [ids[2], *ids[:2]]


def test_without_a_change_nothing_is_done(store: Store, job_id: str) -> None:
    before, events = store.jobs.fields(job_id), store.redis.xlen(keys.EVENTS)
    assert edit_text(store, job_id, "name: tiny", "name: tiny  # as it was") == []
    assert (store.jobs.fields(job_id), store.redis.xlen(keys.EVENTS)) == (before, events)


def test_a_priority_that_it_was_given_since_stays(store: Store, job_id: str) -> None:
    store.jobs.set_priority(job_id, 7)
    assert "priority: 7" in read_current_spec(store, job_id).to_text()
    assert edit(store, job_id, "train.epochs=3") == ["train.epochs"]
    assert store.jobs.get(job_id).priority == 7
    register(store)
    store.jobs.finish(job_id, running(store, job_id), Outcome.FAILED, "odd")
    store.jobs.set_priority(job_id, 7)
    assert retry_changed(store, job_id, ["train.epochs=4"]) == "retried"
    assert store.jobs.get(job_id).priority == 7


def test_every_mistake_is_told_at_its_line(store: Store, job_id: str) -> None:
    current = read_current_spec(store, job_id)
    text = current.to_text().replace("name: tiny", "# a remark\nname: tiny\nqueeu: large")
    text = text.replace("epochs: 10", "epochs: many")
    with pytest.raises(SpecError) as caught:
        current.from_text(text)
    lines = [text[: text.index(word)].count("\n") + 1 for word in ("queeu", "epochs: many")]
    found = [problem.where.split(":")[:2] for problem in caught.value.problems]
    assert found == [[f"{job_id}.yaml", str(line)] for line in lines]


def test_what_is_masked_stays_what_it_is_until_it_is_written_anew(store: Store, tmp_path: Path) -> None:
    job_id = queued(store, tmp_path, "env: {API_TOKEN: abcdefgh12345, LEVEL: low}\n")
    assert "abcdefgh12345" not in read_current_spec(store, job_id).to_text()
    assert edit_text(store, job_id, "LEVEL: low", "LEVEL: high") == ["env.LEVEL"]
    assert store.jobs.spec(job_id)["env"] == {"API_TOKEN": "abcdefgh12345", "LEVEL": "high"}
    assert edit_text(store, job_id, "env:API_TOKEN", "env:OTHER_TOKEN") == ["env.API_TOKEN"]
    assert store.jobs.spec(job_id)["env"]["API_TOKEN"] == "env:OTHER_TOKEN"


def test_one_that_waits_goes_on_waiting_for_what_it_waited_for(
    store: Store, tmp_path: Path, job_id: str
) -> None:
    child = queued(store, tmp_path, f"after: [{job_id}]\n")
    held = queued(store, tmp_path, "hold: true\n")
    reasons = [store.jobs.get(one).reason for one in (child, held)]
    for one in (child, held):
        edit(store, one, "queue=large")
        assert store.jobs.get(one).status is Status.WAITING
    assert [store.jobs.get(one).reason for one in (child, held)] == reasons
    store.jobs.release(held)
    register(store)
    store.jobs.finish(job_id, running(store, job_id), Outcome.SUCCEEDED, "")
    assert order(store) == [child, held]
    assert set(store.queues.counts()) == {"large"}


def test_one_past_the_job_before_it_need_not_wait_for_that_again(
    store: Store, tmp_path: Path, job_id: str
) -> None:
    child = queued(store, tmp_path, f"after: [{job_id}]\n")
    register(store)
    store.jobs.finish(job_id, running(store, job_id), Outcome.SUCCEEDED, "")
    store.removal.remove([job_id])
    edit(store, child, "train.epochs=3")
    assert store.jobs.get(child).status is Status.QUEUED


def test_its_time_can_change_both_ways(store: Store, job_id: str) -> None:
    edit(store, job_id, "not_before=+2h")
    record = store.jobs.get(job_id)
    assert (record.status, record.reason) == (Status.WAITING, "waits for its time")
    assert record.due_at == pytest.approx(store.now() + 7200, abs=60)
    assert store.redis.zscore(keys.WAITING, job_id) == record.due_at * 1000
    assert order(store) == []
    edit(store, job_id, "~not_before")
    assert store.jobs.get(job_id).status is Status.QUEUED
    assert not store.redis.exists(keys.WAITING)


def test_a_new_time_to_wait_counts_from_the_edit_and_an_old_one_goes_on(store: Store, job_id: str) -> None:
    edit(store, job_id, "wait_timeout=1h")
    ends = store.redis.zscore(keys.OVERDUE, job_id)
    assert ends == pytest.approx((store.now() + 3600) * 1000, abs=60_000)
    edit(store, job_id, "queue=large")
    assert store.redis.zscore(keys.OVERDUE, job_id) == ends
    edit(store, job_id, "~wait_timeout")
    assert not store.redis.exists(keys.OVERDUE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("after=[abc]", "after of a job cannot change"),
        ("unique=true", "unique of a job cannot change"),
        ("hold=true", "hold is not changed in the job file; fusionq hold"),
        ("train.epochs=20,30", "a job takes one value for each key"),
    ],
)
def test_what_cannot_change_is_refused(store: Store, job_id: str, change: str, said: str) -> None:
    before = store.jobs.packed_spec(job_id)
    with pytest.raises(UsageError, match=re.escape(said)):
        edit(store, job_id, change)
    assert store.jobs.packed_spec(job_id) == before


def test_code_that_was_not_submitted_with_it_is_refused(store: Store, tmp_path: Path, job_id: str) -> None:
    (tmp_path / "my_models.py").write_text("class Net: ...")
    with pytest.raises(
        UsageError, match=r"my_models.Net is code of your own, and .* was submitted without any"
    ):
        edit(store, job_id, "model={_target_: my_models.Net}")


def test_a_job_that_is_started_meanwhile_is_left_as_it_is(store: Store, job_id: str) -> None:
    register(store)
    current = read_current_spec(store, job_id)
    loaded = current.with_overrides(["train.epochs=3"])
    attempt = assigned(store, job_id)
    with pytest.raises(StateError, match="is about to start; hold it first"):
        edit_job(store, current, loaded)
    assert store.jobs.start(job_id, attempt, 60, "run-dir")
    with pytest.raises(StateError, match="has started already"):
        edit_job(store, current, loaded)
    assert store.jobs.requeue(job_id, attempt, "shutdown")
    with pytest.raises(StateError, match="has started already"):
        edit(store, job_id, "train.epochs=3")
    store.jobs.cancel(job_id, "enough")
    with pytest.raises(StateError, match=f"has ended already.*retry --edit {job_id}"):
        edit_job(store, current, loaded)
    assert store.jobs.spec(job_id)["train"]["epochs"] == 10


def test_one_that_came_back_without_a_start_can_be_edited(store: Store, job_id: str) -> None:
    register(store)
    assigned(store, job_id)
    store.jobs.hold(job_id, "held")
    assert edit(store, job_id, "train.epochs=3") == ["train.epochs"]
    store.jobs.release(job_id)
    assert order(store) == [job_id]


def test_of_two_that_edit_at_once_the_second_is_told(store: Store, job_id: str) -> None:
    current = read_current_spec(store, job_id)
    edit(store, job_id, "train.epochs=3")
    with pytest.raises(StateError, match="was edited by somebody else meanwhile"):
        edit_job(store, current, current.with_overrides(["train.epochs=4"]))
    assert store.jobs.spec(job_id)["train"]["epochs"] == 3


def test_the_same_work_is_known_by_what_it_is_now(store: Store, tmp_path: Path, job_id: str) -> None:
    edit(store, job_id, "train.epochs=3")
    sender, spec = FakeSender(), from_yaml(ONE_JOB + "unique: true\n")
    assert submit(store, sender, spec, tmp_path) != job_id
    spec = from_yaml(ONE_JOB + "unique: true\ntrain: {epochs: 3}\n")
    assert submit(store, sender, spec, tmp_path) == job_id
    assert len(store.redis.keys(keys.same("*"))) == 2


def test_a_trial_keeps_its_turn_and_what_its_sweep_varies(store: Store, tmp_path: Path) -> None:
    data = {**from_yaml(ONE_JOB).to_data(), "notify": [{"url": "http://localhost/hook", "on": ["failed"]}]}
    sweep_of = {"params": {"optimizer.lr": [0.1, 0.2, 0.3]}, "max_parallel": 1}
    (loaded,) = load_data({**data, "sweep": sweep_of})
    sweep = submit_sweep(store, FakeSender(), loaded.spec, loaded.trials, tmp_path)
    for trial in (1, 3):
        edit(store, f"{sweep}-{trial}", "train.epochs=3")
    assert [trial.status[0] for trial in store.sweeps.trials(sweep)] == ["q", "w", "w"]
    assert store.sweeps.get(sweep).counts == {"queued": 1, "waiting": 2}
    assert "notify" not in store.jobs.fields(f"{sweep}-1")
    edit(store, f"{sweep}-3", "priority=1")
    edit(store, f"{sweep}-1", "not_before=+2h")
    assert [trial.status[0] for trial in store.sweeps.trials(sweep)] == ["w", "w", "q"]
    with pytest.raises(UsageError, match=r"optimizer.lr is what the sweep .* varies"):
        edit(store, f"{sweep}-2", "optimizer.lr=0.5")


def test_the_record_shows_the_values_that_overrides_set_as_they_are_now(store: Store, tmp_path: Path) -> None:
    params = {"optimizer.lr": 0.1, "train.epochs": 10}
    job_id = submit(store, FakeSender(), from_yaml(ONE_JOB), tmp_path, None, params)
    edit_text(store, job_id, "lr: 0.1", "lr: 0.5")
    assert store.jobs.get(job_id).params == {"optimizer.lr": 0.5, "train.epochs": 10}
    edit(store, job_id, "train.epochs=3", "grace=1m")
    assert store.jobs.get(job_id).params == {"optimizer.lr": 0.5, "train.epochs": 3, "grace": "1m"}


def test_no_key_is_left(store: Store, tmp_path: Path, job_id: str) -> None:
    for change in ("queue=large", "wait_timeout=1h", "not_before=+2h", "~not_before", "priority=2", "name=x"):
        edit(store, job_id, change)
    register(store)
    store.jobs.finish(job_id, running(store, job_id), Outcome.SUCCEEDED, "")
    store.workers.unregister("worker", "token")
    always = {"jobs", "rows", "job_ids", "names", "sequence", "tally", "events", "identity"}
    expected = {keys.SINGLE[name] for name in always} | {keys.job(job_id), keys.spec(job_id)}
    left = {key for key in store.redis.keys("*") if store.redis.ttl(key) < 0}
    assert left <= expected
    assert store.redis.hgetall(keys.NAMES) == {"x": job_id}
    assert {word: count for word, count in store.queues.tally().items() if count} == {"succeeded": 1}
