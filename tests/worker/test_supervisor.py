"""One attempt from its message to its end: what is started, what is written, what becomes of the job."""

from __future__ import annotations

import gzip
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from getpass import getuser
from pathlib import Path

import pytest

from fusionq.errors import StoreUnavailableError
from fusionq.queue.tree import File, digest_of, pack
from fusionq.spec.load import from_yaml
from fusionq.spec.paths import RunPaths, code_cache
from fusionq.spec.record import JobRecord
from fusionq.spec.run_record import RunRecord
from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.store.store import Store
from fusionq.worker import log_forwarder, process_monitor, supervisor
from fusionq.worker.code_cache import clear
from fusionq.worker.fork_server_handle import ForkServerError, NotStartedError
from fusionq.worker.hardware import gpu_monitor as gpu_watch
from fusionq.worker.hardware.gpu_monitor import GpuWatch
from fusionq.worker.hardware.nvml import Meter, find_gpus
from fusionq.worker.processes.identity import mark_of_this_life
from fusionq.worker.processes.tree import ENV_JOB, ENV_SUPERVISOR
from fusionq.worker.running_attempts import CANCEL, LOST, SHUTDOWN, Attempt
from fusionq.worker.supervisor import supervise
from fusionq.worker.worker import Node
from tests.support import ONE_JOB, register
from tests.worker.fake_nvml import FakeNvml
from tests.worker.fakes import (
    EPOCH,
    RESULT,
    STARTED,
    FakeProcess,
    FakeResults,
    Messages,
    Script,
    give,
    put,
)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is tried again at once."""
    for module in (process_monitor, supervisor):
        monkeypatch.setattr(module, "RETRY_S", 0.001)


@pytest.fixture
def results() -> FakeResults:
    return FakeResults()


def train(process: FakeProcess) -> Iterator[Messages]:
    process.say("epoch 1\n")
    yield [STARTED]
    process.say("the end\n")
    yield [EPOCH, RESULT]
    return 0


def run(node: Node, script: Script, results: FakeResults | None = None, **spec) -> JobRecord:
    """Give the worker a job that acts as the script says, and supervise it to its end."""
    attempt = give(node, **spec)
    node.launcher.script = script
    supervise(node, results or FakeResults(), "job", attempt)
    return node.store.jobs.get("job")


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


def log_of(store: Store) -> str:
    return "".join(chunk.text for chunk in store.streams.log("job"))


class Outage:
    """A method of the store that fails so many times before it works again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: object, method: str, times: int) -> None:
        self.left = times
        self._method = getattr(owner, method)
        monkeypatch.setattr(owner, method, self)

    def __call__(self, *args, **kwargs):
        if self.left:
            self.left -= 1
            raise StoreUnavailableError("gone")
        return self._method(*args, **kwargs)


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
    node = make_node(name="w", slots=2)
    node.is_accepting = True
    node.register()

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
    node = make_node(name="w", slots=2)
    node.is_accepting = True
    node.register()
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


# --- stopping --------------------------------------------------------------------------------------


def obedient(node: Node, reason: str) -> Script:
    """A job that is asked to stop for `reason`, and does after some looks."""

    def script(process: FakeProcess) -> Iterator[Messages]:
        yield [STARTED]
        if reason == SHUTDOWN:
            node.begin_to_stop(hurry=False)
        elif reason:
            node.running.ask_all_to_stop(reason)
        while not process.asked:
            yield []
        yield []
        yield []
        return 75

    return script


def stubborn(node: Node, reason: str) -> Script:
    def script(process: FakeProcess) -> Iterator[Messages]:
        node.running.ask_all_to_stop(reason)
        while True:
            yield []

    return script


def test_a_cancelled_job_is_asked_once_and_ends_as_cancelled(node: Node):
    record = run(node, obedient(node, CANCEL))
    assert (record.outcome, record.reason) == (
        Outcome.CANCELLED,
        "cancelled by the user; its state is saved",
    )
    assert node.launcher.processes[0].asked == 1


def test_a_job_that_does_not_stop_within_its_grace_is_killed(node: Node):
    record = run(node, stubborn(node, CANCEL), grace=0.01)
    assert record.outcome is Outcome.CANCELLED
    assert record.reason == "cancelled by the user; killed after 0.0s of grace"
    assert node.launcher.processes[0].asked == 1


def test_a_job_over_its_time_limit_is_stopped(node: Node):
    record = run(node, obedient(node, ""), timeout=0.01)
    assert record.outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize("stop", ["timeout", CANCEL])
def test_a_job_that_prints_faster_than_redis_takes_it_is_stopped_all_the_same(
    node: Node, monkeypatch: pytest.MonkeyPatch, stop: str
):
    monkeypatch.setattr(log_forwarder, "TURN_S", 0.01)
    append = node.store.streams.append_log

    def meanwhile_more(*chunk, **more) -> None:
        node.launcher.processes[0].say("x" * 2 * log_forwarder.CHUNK_BYTES)
        append(*chunk, **more)

    def script(process: FakeProcess) -> Iterator[Messages]:
        process.say("x" * 2 * log_forwarder.CHUNK_BYTES)
        if stop == CANCEL:
            node.running.ask_all_to_stop(CANCEL)
        while not process.asked:
            yield []
        monkeypatch.setattr(node.store.streams, "append_log", append)
        return 75

    monkeypatch.setattr(node.store.streams, "append_log", meanwhile_more)
    limit = {"timeout": 0.01} if stop == "timeout" else {}
    record = run(node, script, output_limit=1_000_000, **limit)
    assert record.outcome is (Outcome.TIMED_OUT if limit else Outcome.CANCELLED)
    assert (node.settings.runs / "job" / "output.log").stat().st_size < 2_000_000


def test_a_shutdown_puts_the_job_back_and_takes_it_no_more(node: Node):
    record = run(node, obedient(node, SHUTDOWN))
    assert (record.status, record.losses) == (Status.QUEUED, 0)
    assert record.reason == "its worker was shut down; its state is saved"
    assert not node.store.workers.alive()[0].accepting


def test_a_second_signal_leaves_no_grace(node: Node):
    def script(process: FakeProcess) -> Iterator[Messages]:
        node.begin_to_stop(hurry=True)
        while True:
            yield []

    record = run(node, script, grace=1000.0)
    assert record.status is Status.QUEUED


# --- losses ----------------------------------------------------------------------------------------


def dies(process: FakeProcess) -> Iterator[Messages]:
    process.say("going down\n")
    yield [STARTED]
    return -signal.SIGSEGV


def test_a_job_that_dies_goes_back_and_the_loss_is_counted(node: Node):
    record = run(node, dies)
    assert (record.status, record.losses) == (Status.QUEUED, 1)
    assert record.reason == "its process crashed (SIGSEGV)"
    assert log_of(node.store) == "going down\n"


def test_a_job_that_dies_waits_for_its_backoff(node: Node):
    record = run(node, dies, retry={"max": 1, "backoff": 60})
    assert (record.status, record.losses) == (Status.WAITING, 1)
    assert 59 < record.due_at - record.started_at < 95, "60 s, up to half as much again"


def test_an_error_that_its_job_file_wants_tried_again_goes_back(node: Node):
    def fail(process: FakeProcess) -> Iterator[Messages]:
        yield [{"kind": "error", "class": "oom", "reason": "out of memory: 2 GiB"}]
        return 1

    record = run(node, fail)
    assert (record.status, record.losses, record.reason) == (Status.QUEUED, 1, "out of memory: 2 GiB")


def test_a_job_that_died_too_often_fails(node: Node):
    record = run(node, dies, retry={"max": 0})
    assert record.outcome is Outcome.FAILED


def test_a_job_that_dies_while_it_is_cancelled_does_not_start_anew(node: Node):
    def script(process: FakeProcess) -> Iterator[Messages]:
        node.running.ask_all_to_stop(CANCEL)
        yield []
        return -signal.SIGSEGV

    record = run(node, script)
    assert record.outcome is Outcome.CANCELLED


def take_away(store: Store) -> None:
    """Another worker has the job by now."""
    register(store, "other", token="another")
    store.jobs.requeue("job", 1, "lost")
    assert store.jobs.assign("job", "other", (), 60) == 2
    assert store.jobs.start("job", 2, 60, "there")


def test_a_job_that_was_taken_from_us_is_killed_and_we_write_nothing(node: Node, results: FakeResults):
    def script(process: FakeProcess) -> Iterator[Messages]:
        yield [STARTED]
        take_away(node.store)
        process.say("words of the dead\n")
        node.running.ask_all_to_stop(LOST)
        while True:
            yield [EPOCH]

    record = run(node, script, results, grace=1000.0)
    assert (record.status, record.attempt, record.worker) == (Status.RUNNING, 2, "other")
    assert record.progress == {}
    assert log_of(node.store) == ""
    assert [point["kind"] for point in node.store.streams.points("job")] == ["started"]
    assert results.ends == []
    assert node.launcher.processes[0].kills


# --- outages of Redis ------------------------------------------------------------------------------


def test_an_outage_before_the_job_is_read_is_waited_out(node: Node, monkeypatch: pytest.MonkeyPatch):
    for method in ("fields", "spec"):
        Outage(monkeypatch, node.store.jobs, method, 2)
    assert run(node, train).outcome is Outcome.SUCCEEDED


def test_during_an_outage_points_wait_and_arrive_once(node: Node, monkeypatch: pytest.MonkeyPatch):
    outage = Outage(monkeypatch, node.store.streams, "append_points", 3)

    def script(process: FakeProcess) -> Iterator[Messages]:
        yield [STARTED]
        for number in range(1, 4):
            yield [{**EPOCH, "epoch": number}]
        while outage.left:
            yield []
        yield [RESULT]
        return 0

    run(node, script)
    assert [point["epoch"] for point in node.store.streams.points("job")] == [0, 1, 2, 3]


def test_the_end_is_told_however_long_the_outage(node: Node, monkeypatch: pytest.MonkeyPatch):
    for owner, method in (
        (node.store.streams, "append_log"),
        (node.store.streams, "append_points"),
        (node.store.jobs, "finish"),
    ):
        Outage(monkeypatch, owner, method, 5)
    assert run(node, train).outcome is Outcome.SUCCEEDED
    assert log_of(node.store) == "epoch 1\nthe end\n"
    assert len(node.store.streams.points("job")) == 2


def test_a_worker_that_leaves_during_an_outage_does_not_wait_for_its_end(
    node: Node, monkeypatch: pytest.MonkeyPatch
):
    Outage(monkeypatch, node.store.jobs, "requeue", 1_000_000)
    record = run(node, obedient(node, SHUTDOWN))
    assert record.status is Status.RUNNING, "its lease tells the others"


# --- what this worker cannot do --------------------------------------------------------------------


def test_a_worker_that_can_start_no_process_says_so(node: Node, results: FakeResults):
    supervise(node, results, "job", give(node))
    record = node.store.jobs.get("job")
    assert record.outcome is Outcome.FAILED
    assert record.reason == "the worker w cannot run it: job processes cannot be prepared"


def test_a_job_whose_fork_server_does_not_answer_is_lost_and_goes_on_later(
    node: Node, monkeypatch: pytest.MonkeyPatch
):
    def hang(*_) -> None:
        raise ForkServerError("the fork server does not answer")

    monkeypatch.setattr(node.launcher, "spawn", hang)
    record = run(node, train)
    assert (record.status, record.losses, record.failure) == (Status.QUEUED, 1, "worker_lost")
    assert record.reason == "the worker w: the fork server does not answer"


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (CANCEL, (Status.FINISHED, "cancelled by the user; it had not begun")),
        (SHUTDOWN, (Status.QUEUED, "its worker was shut down; it had not begun")),
    ],
)
def test_a_job_that_is_stopped_while_the_fork_server_stands_still_does_not_wait_for_it(
    node: Node, monkeypatch: pytest.MonkeyPatch, stop: str, expected: tuple[Status, str]
):
    def hang(orders: dict, give_up: Callable[[], bool]) -> None:
        assert not give_up()
        node.running.ask_all_to_stop(stop)
        assert give_up()
        raise NotStartedError("given up")

    monkeypatch.setattr(node.launcher, "spawn", hang)
    record = run(node, train)
    assert (record.status, record.reason) == expected


def test_a_spec_that_this_version_cannot_read_fails_with_its_reason(node: Node):
    record = run(node, train, surprise=1)
    assert record.outcome is Outcome.FAILED
    assert "unknown key 'surprise'" in record.reason


def test_a_job_whose_own_run_folder_cannot_be_made_fails_with_its_reason(node: Node, tmp_path: Path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "job").write_text("a file")
    record = run(node, train)
    assert record.outcome is Outcome.FAILED
    assert "the worker w cannot run it" in record.reason


# --- the code that was submitted -------------------------------------------------------------------

CODE = [File("own.py", b"WORD = 1\n")]
DIGEST = digest_of(CODE)


def give_with_code(node: Node, **fields: str) -> int:
    store = node.store
    record = {"name": "tiny", "queue": "default", "priority": 0, "code": DIGEST, **fields}
    assert store.jobs.submit("job", from_yaml(ONE_JOB).to_data(), record)
    return store.jobs.assign("job", node.name, (), 60)


def test_a_job_gets_the_folder_of_its_code_and_where_that_stood(node: Node, results: FakeResults):
    node.store.blobs.put(DIGEST, pack(CODE))
    node.store.blobs.put("d" * 64, gzip.compress(b"+WORD = 1"))
    attempt = give_with_code(node, diff="d" * 64, provenance='{"commit": "c0ffee"}')
    node.launcher.script = train
    supervise(node, results, "job", attempt)
    (orders,) = node.launcher.orders
    assert (Path(orders["code"]) / "own.py").read_text() == "WORD = 1\n"
    assert orders["provenance"]["code"] == DIGEST
    assert orders["provenance"]["git"] == {"commit": "c0ffee", "diff": "+WORD = 1"}
    assert "celery" in orders["provenance"]["packages"]
    assert node.store.jobs.get("job").outcome is Outcome.SUCCEEDED


def test_code_in_use_is_not_cleared_while_the_job_runs(node: Node, results: FakeResults):
    node.store.blobs.put(DIGEST, pack(CODE))
    attempt = give_with_code(node)
    cache = code_cache(node.settings.home)
    seen = []

    def script(process: FakeProcess) -> Iterator[Messages]:
        clear(cache, kept=0)
        seen.append((cache / DIGEST).exists())
        yield [RESULT]
        return 0

    node.launcher.script = script
    supervise(node, results, "job", attempt)
    clear(cache, kept=0)
    assert seen == [True]
    assert not (cache / DIGEST).exists()


def test_a_job_without_code_gets_no_folder(node: Node):
    run(node, train)
    assert node.launcher.orders[0]["code"] == ""


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        (b"no archive", "the archive is damaged"),
        (pack([]), "the archive of the job's code is damaged: its digest is another"),
        (b"", "the job's code cannot be read"),
    ],
)
def test_code_that_cannot_be_had_ends_the_job_with_its_reason(
    node: Node, results: FakeResults, stored: bytes, why: str
):
    node.store.blobs.put(DIGEST, stored)
    attempt = give_with_code(node)
    node.launcher.script = train
    supervise(node, results, "job", attempt)
    record = node.store.jobs.get("job")
    assert record.outcome is Outcome.FAILED
    assert record.reason.startswith(f"the worker w cannot run it: {why}")
    assert node.launcher.processes == []


def test_an_outage_while_the_code_is_fetched_is_waited_out(
    node: Node, results: FakeResults, monkeypatch: pytest.MonkeyPatch
):
    node.store.blobs.put(DIGEST, pack(CODE))
    attempt = give_with_code(node)
    Outage(monkeypatch, node.store.blobs, "get", 3)
    node.launcher.script = train
    supervise(node, results, "job", attempt)
    assert node.store.jobs.get("job").outcome is Outcome.SUCCEEDED


def test_a_worker_that_leaves_while_its_code_cannot_be_fetched_gives_the_job_back(
    node: Node, results: FakeResults, monkeypatch: pytest.MonkeyPatch
):
    node.store.blobs.put(DIGEST, pack(CODE))
    attempt = give_with_code(node)

    def leave(digest: str) -> bytes:
        node.begin_to_stop(hurry=False)
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(node.store.blobs, "get", leave)
    node.launcher.script = train
    supervise(node, results, "job", attempt)
    record = node.store.jobs.get("job")
    assert (record.status, record.losses) == (Status.QUEUED, 0)
    assert node.launcher.processes == []


# --- who may read it ----------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_run_folder_is_private_and_its_job_file_holds_no_secret(node: Node):
    run(node, train, env={"API_KEY": "hunter22", "MODE": "fast"})
    folder = node.settings.runs / "job"
    assert (mode(folder), mode(folder / "job.yaml"), mode(folder / "output.log")) == (0o700, 0o600, 0o600)
    assert from_yaml((folder / "job.yaml").read_text()).env == {"API_KEY": "env:API_KEY", "MODE": "fast"}
    assert node.launcher.orders[0]["environ"]["API_KEY"] == "hunter22"


def test_a_umask_opens_it(node: Node):
    node.settings = replace(node.settings, umask=0o027)
    run(node, train)
    assert (mode(node.settings.runs / "job"), mode(node.settings.runs / "job" / "job.yaml")) == (0o750, 0o640)


def test_a_variable_of_the_worker_is_looked_up_there(node: Node, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ONLY_HERE", "hunter22")
    run(node, train, env={"API_KEY": "env:ONLY_HERE"}, notify=[{"on": ["failed"], "url": "env:HOOK"}])
    (orders,) = node.launcher.orders
    assert orders["environ"]["API_KEY"] == "hunter22"
    assert orders["spec"]["env"] == {"API_KEY": "env:ONLY_HERE"}
    assert orders["withheld"] == ["HOOK"]


def test_a_variable_that_the_worker_lacks_is_named(node: Node):
    record = run(node, train, env={"API_KEY": "env:NOWHERE"})
    assert record.outcome is Outcome.FAILED
    assert record.reason.startswith(
        "the worker w cannot run it: env.API_KEY: the worker's environment has no variable NOWHERE"
    )
