"""One attempt from its message to its end: what is started, what is written, what becomes of the job."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from getpass import getuser
from pathlib import Path

import pytest

from fusionq.spec.load import from_yaml
from fusionq.spec.paths import RunPaths
from fusionq.spec.run_record import RunRecord
from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.worker.hardware import gpu_monitor as gpu_watch
from fusionq.worker.hardware.gpu_monitor import GpuWatch
from fusionq.worker.hardware.nvml import Meter, find_gpus
from fusionq.worker.processes.identity import mark_of_this_life
from fusionq.worker.processes.tree import ENV_JOB, ENV_SUPERVISOR
from fusionq.worker.running_attempts import LOST, Attempt
from fusionq.worker.supervisor import supervise
from fusionq.worker.worker import Node
from tests.worker.fake_nvml import FakeNvml
from tests.worker.fakes import EPOCH, RESULT, STARTED, FakeProcess, FakeResults, Messages, give, put
from tests.worker.supervised import log_of, run, train

pytestmark = pytest.mark.usefixtures("hasty")


def kept_by(node: Node) -> RunRecord:
    kept = RunRecord.read(RunPaths.of_job(node.settings.runs, "job").record)
    assert kept is not None
    return kept


def test_its_record_is_kept_in_the_run_folder_from_its_start_to_its_end(node: Node):
    states = []

    def watched(process: FakeProcess) -> Iterator[Messages]:
        states.append(kept_by(node).fields["status"])
        yield [STARTED, RESULT]
        return 0

    run(node, watched)
    assert states == ["running"]
    kept = kept_by(node)
    assert (kept.fields["status"], kept.fields["outcome"], kept.fields["attempt"]) == (
        "finished",
        "succeeded",
        "1",
    )
    assert kept.place == node.store.place
    assert kept.lease_s == node.settings.lease_s


def test_what_redis_has_lost_is_kept_all_the_same_and_nothing_is_written_there(node: Node):
    def cut_off(process: FakeProcess) -> Iterator[Messages]:
        yield [STARTED]
        node.store.redis.flushall()
        node.is_holding = True
        process.say("the end\n")
        yield [EPOCH, RESULT]
        return 0

    attempt = give(node)
    node.launcher.script = cut_off
    supervise(node, FakeResults(), "job", attempt)
    assert kept_by(node).fields["outcome"] == "succeeded"
    assert not node.store.redis.exists(keys.job("job"), keys.metrics("job"))


# --- the whole way ---------------------------------------------------------------------------------


def test_a_job_that_succeeds_is_told_everywhere(node: Node, results: FakeResults):
    record = run(node, train, results)
    assert (record.outcome, record.reason, record.attempt) == (Outcome.SUCCEEDED, "", 1)
    assert record.result == RESULT["result"]
    assert record.progress["kind"] == "epoch"
    assert log_of(node.store) == "epoch 1\nthe end\n"
    points = node.store.streams.points("job")
    assert [(point["kind"], point["attempt"]) for point in points] == [("started", 1), ("epoch", 1)]
    assert results.ends == [("job", Outcome.SUCCEEDED, "", RESULT["result"])]
    assert results.points[-1][1]["kind"] == "epoch"


def test_a_result_that_was_not_heard_before_the_process_ended_counts(node: Node):
    def quick(process: FakeProcess) -> Iterator[Messages]:
        yield [STARTED]
        process.unheard = [EPOCH, RESULT]
        return 0

    record = run(node, quick)
    assert (record.outcome, record.result) == (Outcome.SUCCEEDED, RESULT["result"])
    assert len(node.store.streams.points("job")) == 2


def test_when_it_is_over_everything_is_given_back(node: Node):
    run(node, train)
    (process,) = node.launcher.processes
    assert process.is_closed
    assert node.running.all() == []
    assert node.store.workers.alive()[0].free_slots == 1
    assert node.free_slot.acquire()


def test_a_free_slot_is_offered_at_once(node: Node):
    run(node, train)
    assert node.store.redis.llen(f"{keys.CELERY_PREFIX}{node.queue}") == 1


def test_the_run_folder_holds_the_job_file(node: Node):
    record = run(node, train, tags=["x"])
    assert from_yaml((Path(record.run_dir) / "job.yaml").read_text()).tags == ["x"]


def test_the_last_words_and_the_last_process_come_before_the_last_state(
    node: Node, monkeypatch: pytest.MonkeyPatch
):
    finish = node.store.jobs.finish
    seen = []

    def look_and_finish(*args, **more):
        (process,) = node.launcher.processes
        seen.append((log_of(node.store), process.kills > 0, len(node.store.streams.points("job"))))
        return finish(*args, **more)

    monkeypatch.setattr(node.store.jobs, "finish", look_and_finish)
    run(node, train)
    assert seen == [("epoch 1\nthe end\n", True, 2)]


def test_a_gpu_on_which_something_of_the_job_remains_is_kept_from_others(
    make_node: Callable[..., Node], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpu_watch, "CLEAR_WITHIN_S", 0.05)
    nvml = FakeNvml(("GPU-a", "A100", 80))
    node = make_node(name="g")
    node.gpus = find_gpus("all", nvml)
    node.gpu_watch = GpuWatch(node.gpus, Meter(nvml))
    node.is_accepting = True
    node.register()
    put(node.store, "job")
    left = subprocess.Popen(["sleep", "600"], env={ENV_JOB: "job", ENV_SUPERVISOR: mark_of_this_life()})

    def leave_something(process: FakeProcess) -> Iterator[Messages]:
        nvml.processes = {0: {left.pid: 70}}
        yield [RESULT]
        return 0

    node.launcher.script = leave_something
    attempt = node.store.jobs.assign("job", "g", (0,), 60)
    supervise(node, FakeResults(), "job", attempt)
    assert node.launcher.orders[0]["environ"]["CUDA_VISIBLE_DEVICES"] == "GPU-a"
    assert node.store.jobs.get("job").outcome is Outcome.SUCCEEDED
    (worker,) = node.store.view().workers
    assert worker.free_gpus == ()
    assert (
        worker.blocked[0] == f"process {left.pid} (sleep, {getuser()}) of job job, which is over, uses 70 B"
    )
    assert left.wait(timeout=5) == -signal.SIGKILL
    nvml.processes = {}
    node.look_at_gpus()
    node.register()
    assert node.store.view().workers[0].free_gpus == (0,)


def test_a_warning_stands_in_the_record(node: Node):
    def warn(process: FakeProcess) -> Iterator[Messages]:
        yield [{"kind": "warning", "text": "other data"}]
        yield [RESULT]
        return 0

    assert run(node, warn).warning == "other data"


def test_a_job_is_ordered_with_all_that_it_needs(node: Node, tmp_path: Path):
    run(node, train, env={"COLOUR": "green"}, resources={"cpus": 3})
    (orders,) = node.launcher.orders
    assert (orders["attempt"], orders["fresh_after"]) == (1, 0)
    assert orders["run_dir"] == str(tmp_path / "runs" / "job")
    assert orders["threads"] == 3
    assert orders["gpu_memory"] is None
    assert orders["processes"] == 1
    assert orders["environ"] == {
        "OMP_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "3",
        "COLOUR": "green",
        "CUDA_VISIBLE_DEVICES": "",
        "HIP_VISIBLE_DEVICES": "-1",
        "FUSIONQ_RUN_DIR": str(tmp_path / "runs" / "job"),
    }
    assert orders["marks"] == {
        "FUSIONQ_JOB": "job",
        "FUSIONQ_ATTEMPT": "1",
        "FUSIONQ_SUPERVISOR": mark_of_this_life(),
    }


# --- messages that start nothing -------------------------------------------------------------------


def test_a_message_that_comes_twice_starts_the_job_once(node: Node, results: FakeResults):
    run(node, train)
    supervise(node, results, "job", 1)
    assert len(node.launcher.processes) == 1
    assert results.ends == []


def test_a_message_that_comes_while_its_job_runs_starts_nothing(
    make_node: Callable[..., Node], results: FakeResults
):
    node = make_node(name="w", slots=2, accepting=True)

    def doubled(process: FakeProcess) -> Iterator[Messages]:
        supervise(node, results, "job", 1)
        yield [RESULT]
        return 0

    assert run(node, doubled).outcome is Outcome.SUCCEEDED
    assert len(node.launcher.processes) == 1
    assert results.ends == []


def test_a_message_of_an_older_attempt_starts_nothing(node: Node, results: FakeResults):
    attempt = give(node)
    node.launcher.script = train
    node.store.jobs.requeue("job", attempt, "too late")
    assert node.store.jobs.assign("job", node.name, (), 60) == 2
    supervise(node, results, "job", 1)
    assert node.launcher.processes == []
    assert node.store.jobs.get("job").status is Status.ASSIGNED


def test_a_message_of_a_job_that_was_cancelled_starts_nothing(node: Node, results: FakeResults):
    attempt = give(node)
    node.launcher.script = train
    node.store.jobs.cancel("job", "changed my mind")
    supervise(node, results, "job", attempt)
    assert node.launcher.processes == []
    assert node.store.jobs.get("job").reason == "changed my mind"


def test_a_worker_that_leaves_starts_nothing_more(node: Node, results: FakeResults):
    attempt = give(node)
    node.launcher.script = train
    node.begin_to_stop(hurry=False)
    supervise(node, results, "job", attempt)
    assert node.launcher.processes == []
    assert node.store.jobs.get("job").status is Status.ASSIGNED


def test_a_job_that_comes_anew_while_our_copy_runs_waits_until_that_is_dead(
    make_node, results: FakeResults, monkeypatch: pytest.MonkeyPatch
):
    node = make_node(name="w", slots=2, accepting=True)
    older = Attempt("job", give(node))
    node.running.add(older)  # what Redis forgot
    node.launcher.script = train

    def die(reason: str, **_) -> None:
        assert reason == LOST
        assert node.launcher.processes == []
        node.running.remove(older)

    monkeypatch.setattr(older, "ask_to_stop", die)
    supervise(node, results, "job", 1)
    assert node.store.jobs.get("job").outcome is Outcome.SUCCEEDED
