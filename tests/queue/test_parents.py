"""What a job refers to becomes ids when it is submitted, or is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusionq.errors import FusionqError, NotFoundError, UsageError
from fusionq.spec.job import JobSpec
from fusionq.spec.load import from_yaml, load_file, parse_job
from fusionq.spec.states import Outcome, Status
from fusionq.store.store import Store
from tests.queue.submitted import submit, submit_sweep
from tests.store.swept import end
from tests.support import ONE_JOB

PREDICT = "{task: predict, model: {from: SOURCE}, data: {test: {_target_: Digits}}}"


class FakeSender:
    def ask_for_pass(self) -> None:
        pass


def put(store: Store, workdir: Path, more: str = "", *, name: str = "tiny") -> str:
    text = ONE_JOB.replace("name: tiny", f"name: {name}") + more
    return submit(store, FakeSender(), from_yaml(text), workdir)


def put_prediction(store: Store, workdir: Path, source: str) -> str:
    return submit(store, FakeSender(), from_yaml(PREDICT.replace("SOURCE", source)), workdir)


def stored(store: Store, job_id: str) -> JobSpec:
    return parse_job(store.jobs.spec(job_id))


@pytest.fixture
def parent(store: Store, tmp_path: Path) -> str:
    return put(store, tmp_path, name="parent")


@pytest.mark.parametrize("reference", ["ID", "ID[:7]", "parent", "last"])
def test_every_way_to_name_a_job_becomes_its_id(store: Store, tmp_path: Path, parent: str, reference: str):
    named = reference.replace("ID[:7]", parent[:7]).replace("ID", parent)
    child = put(store, tmp_path, f"after: ['{named}', parent]", name="child")
    assert stored(store, child).after == [parent]
    record = store.jobs.get(child)
    assert (record.after, record.status) == ((parent,), Status.WAITING)
    assert record.reason == f"waits for {parent} (parent)"


def test_a_name_means_the_newest_job_that_has_it(store: Store, tmp_path: Path, parent: str):
    newer = put(store, tmp_path, name="parent")
    assert store.jobs.get(put(store, tmp_path, "after: [parent]")).after == (newer,)


def test_jobs_of_one_file_may_name_those_before_them(store: Store, tmp_path: Path):
    file = tmp_path / "pipeline.yaml"
    file.write_text(ONE_JOB + "---" + ONE_JOB.replace("name: tiny", "name: second\nafter: [tiny]"))
    documents = load_file(file, workdir=tmp_path)
    first, second = (submit(store, FakeSender(), each.spec, tmp_path) for each in documents)
    assert store.jobs.get(second).after == (first,)


@pytest.mark.parametrize(
    ("references", "words"),
    [
        ("[nothing]", "after[0]: no such job: 'nothing'; `fusionq status` lists the jobs"),
        ("[parent, parent-1]", "after[1]: no such job: 'parent-1'; `fusionq status` lists the jobs"),
    ],
)
def test_an_unknown_parent_is_told_with_its_place(
    store: Store, tmp_path: Path, parent: str, references: str, words: str
):
    with pytest.raises(NotFoundError) as caught:
        put(store, tmp_path, f"after: {references}")
    assert str(caught.value) == words
    assert store.jobs.count() == 1


def test_a_job_cannot_come_after_itself(store: Store, tmp_path: Path):
    with pytest.raises(NotFoundError):
        put(store, tmp_path, "after: [tiny]", name="tiny")


def test_a_beginning_of_several_parents_is_told_with_its_place(store: Store, tmp_path: Path):
    for job_id in ("x1", "x2"):
        store.jobs.submit(job_id, {}, {"name": job_id, "queue": "default", "priority": 0})
    with pytest.raises(UsageError, match=r"^after\[0\]: 'x' is the beginning of several jobs"):
        put(store, tmp_path, "after: [x]")


def test_a_parent_that_failed_is_refused(store: Store, tmp_path: Path, parent: str):
    end(store, parent, Outcome.FAILED)
    with pytest.raises(UsageError) as caught:
        put(store, tmp_path, "after: [parent]")
    assert str(caught.value) == (
        f"after[0]: parent ({parent}) did not succeed; it is failed; retry it first: fusionq retry {parent}"
    )


def test_a_block_says_more_of_them(store: Store, tmp_path: Path, parent: str):
    block = "after: {jobs: [parent, last], need: any, on_failure: cancel}"
    child = put(store, tmp_path, block, name="child")
    record = store.jobs.get(child)
    assert (record.after, record.after_need, record.after_failure) == ((parent,), "any", "cancel")
    assert stored(store, child).after.jobs == [parent]


@pytest.mark.parametrize("more", ["need: any", "on_failure: run"])
def test_a_parent_that_failed_is_no_mistake_where_it_may_fail(
    store: Store, tmp_path: Path, parent: str, more: str
):
    end(store, parent, Outcome.FAILED)
    other = put(store, tmp_path, name="other")
    child = put(store, tmp_path, f"after: {{jobs: [{parent}, other], {more}}}", name="child")
    assert store.jobs.get(child).status is Status.WAITING
    end(store, other)
    assert store.jobs.get(child).status is Status.QUEUED


def test_an_unknown_parent_in_a_block_is_told_with_its_place(store: Store, tmp_path: Path):
    with pytest.raises(NotFoundError, match=r"^after.jobs\[0\]: no such job: 'nobody'"):
        put(store, tmp_path, "after: {jobs: [nobody]}")


def test_a_job_after_one_that_succeeded_does_not_wait(store: Store, tmp_path: Path, parent: str):
    end(store, parent)
    assert store.jobs.get(put(store, tmp_path, "after: [parent]")).status is Status.QUEUED


def test_a_job_may_come_after_a_sweep_or_one_of_its_trials(store: Store, tmp_path: Path):
    file = tmp_path / "s.yaml"
    file.write_text(ONE_JOB + "sweep: {params: {optimizer.lr: [1, 2]}}")
    (loaded,) = load_file(file, workdir=tmp_path)
    sweep_id = submit_sweep(store, FakeSender(), loaded.spec, loaded.trials, tmp_path)
    child = put(store, tmp_path, f"after: [tiny, {sweep_id}-2]", name="child")
    assert store.jobs.get(child).after == (sweep_id, f"{sweep_id}-2")


def test_the_trials_of_a_sweep_come_after_the_jobs_of_their_file(store: Store, tmp_path: Path, parent: str):
    file = tmp_path / "s.yaml"
    file.write_text(ONE_JOB + "after: [last]\nsweep: {params: {optimizer.lr: [1, 2]}}")
    (loaded,) = load_file(file, workdir=tmp_path)
    sweep_id = submit_sweep(store, FakeSender(), loaded.spec, loaded.trials, tmp_path)
    assert [trial.after for trial in store.sweeps.trials(sweep_id)] == [(parent,), (parent,)]
    assert store.sweeps.get(sweep_id).state_word == "waiting"


# --- a model of another job --------------------------------------------------------------------------


def test_a_job_with_the_model_of_one_that_goes_on_comes_after_it(store: Store, tmp_path: Path, parent: str):
    child = put_prediction(store, tmp_path, "parent")
    spec = stored(store, child)
    assert (spec.after, store.jobs.get(child).model_from) == ([], parent)
    assert spec.model == {**stored(store, parent).model, "from": parent}
    assert store.jobs.get(child).reason == f"waits for {parent} (parent)"


def test_a_job_with_the_model_of_one_that_succeeded_starts_at_once(store: Store, tmp_path: Path, parent: str):
    end(store, parent, best_model="best.pth")
    child = put_prediction(store, tmp_path, "parent")
    assert stored(store, child).after == []
    assert store.jobs.get(child).status is Status.QUEUED


def test_a_model_of_its_own_is_kept_beside_the_weights_of_another(store: Store, tmp_path: Path, parent: str):
    more = "model: {_target_: Linear, in_features: 64, out_features: 10, from: parent}\n"
    text = "\n".join(line for line in ONE_JOB.splitlines() if not line.startswith("model"))
    child = submit(store, FakeSender(), from_yaml(f"{text}\n{more}"), tmp_path)
    assert stored(store, child).model["from"] == parent
    assert store.jobs.get(child).model_from == parent


def test_what_is_taken_of_another_model_is_the_child_s_own_word(store: Store, tmp_path: Path):
    base = ONE_JOB.replace("model: {", "model: {from: w.pth, ignore: [head], ")
    assert base != ONE_JOB
    (tmp_path / "w.pth").write_bytes(b"")
    parent = submit(store, FakeSender(), from_yaml(base.replace("name: tiny", "name: parent")), tmp_path)
    text = "\n".join(line for line in ONE_JOB.splitlines() if not line.startswith("model"))
    child = submit(
        store, FakeSender(), from_yaml(f"{text}\nmodel: {{from: parent, strict: false}}"), tmp_path
    )
    kept = {key: value for key, value in stored(store, parent).model.items() if key not in ("from", "ignore")}
    assert stored(store, child).model == {**kept, "from": parent, "strict": False}


def _fail(store: Store, parent: str, workdir: Path) -> str:
    end(store, parent, Outcome.FAILED)
    return "parent"


def _end_without_model(store: Store, parent: str, workdir: Path) -> str:
    end(store, parent)
    return "parent"


def _predict(store: Store, parent: str, workdir: Path) -> str:
    return put_prediction(store, workdir, "parent")


@pytest.mark.parametrize("prepare", [_fail, _end_without_model, _predict])
def test_a_job_that_has_no_model_and_will_have_none_is_refused(
    store: Store, tmp_path: Path, parent: str, prepare
):
    source = prepare(store, parent, tmp_path)
    with pytest.raises(UsageError, match=r"^model\.from: .* has no model to give"):
        put_prediction(store, tmp_path, source)


@pytest.mark.parametrize("name", ["nothing", 300 * "a"])
def test_what_is_neither_a_file_nor_a_job_is_not_found(store: Store, tmp_path: Path, name: str):
    with pytest.raises(NotFoundError, match=rf"model\.from: '{name}' is neither a file in .* nor a job"):
        put_prediction(store, tmp_path, name)


def test_a_file_stays_as_it_is_and_needs_a_model_beside_it(store: Store, tmp_path: Path):
    (tmp_path / "weights.pth").touch()
    with pytest.raises(FusionqError, match=r"weights\.pth holds weights alone"):
        put_prediction(store, tmp_path, "weights.pth")
