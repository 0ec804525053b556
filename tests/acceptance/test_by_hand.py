"""What a person does in several terminals: a worker, submit, status, logs, cancel."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import termios

import psutil
import pytest
import torch

from fusionq.queue.celery_app import make_app
from fusionq.queue.sender import Sender
from fusionq.queue.worker_check import Question, WorkerCheck
from fusionq.spec.load import from_yaml, load_job
from fusionq.spec.states import Outcome
from tests.acceptance.installation import JOBS, SLOWLY, Installation
from tests.support import is_gone, wait_until

pytestmark = pytest.mark.acceptance


def test_submit_prints_the_id_alone_and_the_next_commands_beside_it(shared: Installation) -> None:
    done = shared.cli("submit", str(JOBS / "digits.yaml"), "train.epochs=1")
    job_id = done.stdout.strip()
    assert done.stdout == job_id + "\n"
    assert f"fusionq logs {job_id} -f" in done.stderr
    assert shared.await_end(job_id).outcome is Outcome.SUCCEEDED


def test_a_followed_log_ends_with_the_job_and_its_exit_code(shared: Installation) -> None:
    job_id = shared.submit()
    done = shared.cli("logs", job_id, "-f")
    assert done.returncode == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["1/4", "2/4", "3/4", "4/4"]
    assert done.stdout == shared.cli("logs", job_id).stdout
    assert done.stdout == (shared.home / "runs" / job_id / "output.log").read_text()


def test_a_finished_job_tells_its_result_everywhere(shared: Installation) -> None:
    job_id = shared.submit()
    record = shared.await_end(job_id)
    assert record.result["epochs"] == 4
    assert shared.status(job_id)["outcome"] == "succeeded"
    assert job_id in shared.cli("status").stdout
    assert job_id in shared.cli("ls", "-q").stdout.split()
    epochs = [point["epoch"] for point in shared.store.streams.points(job_id) if point["kind"] == "epoch"]
    assert epochs == [1, 2, 3, 4]
    celery = make_app(lambda: shared.store.url)
    wait_until(lambda: celery.AsyncResult(job_id).state == "SUCCESS", what="the result backend")
    assert celery.AsyncResult(job_id).result["best_epoch"] == record.result["best_epoch"]
    state = torch.load(record.result["best_model"], weights_only=True)
    assert state["1.weight"].shape == (32, 64)


def test_the_printed_spec_can_be_submitted_again(shared: Installation) -> None:
    job_id = shared.submit("train.epochs=1")
    text = shared.cli("status", job_id, "--spec").stdout
    assert from_yaml(text) == load_job(shared.job_file, ["train.epochs=1"])
    assert from_yaml(
        (shared.home / "runs" / shared.await_end(job_id).id / "job.yaml").read_text()
    ) == from_yaml(text)


def test_an_error_in_user_code_is_one_line_in_the_status_and_a_traceback_in_the_log(
    shared: Installation,
) -> None:
    job_id = shared.submit("trainer=trainers.Faulty")
    assert shared.await_end(job_id).outcome is Outcome.FAILED
    reason = shared.status(job_id)["reason"]
    assert reason == "ValueError: these samples are odd (trainers.py, line 16, in __train_func__)"
    log = shared.cli("logs", job_id).stdout
    assert "Traceback (most recent call last)" in log
    assert log.rstrip().endswith("ValueError: these samples are odd")
    shown = shared.cli("status", job_id)
    assert "last lines of its log" in shown.stdout
    assert shared.cli("logs", job_id, "-f").returncode == 1


def test_a_cancelled_job_saves_its_state_and_is_gone(
    shared: Installation, steady: subprocess.Popen[bytes]
) -> None:
    job_id = shared.submit("train.epochs=1000", *SLOWLY)
    shared.await_epochs(job_id, 1)
    process = shared.process_of(job_id, steady)
    done = shared.cli("cancel", job_id)
    assert done.returncode == 0, done.stderr
    assert is_gone(process)
    record = shared.store.jobs.get(job_id)
    assert (record.outcome, record.reason) == (Outcome.CANCELLED, "cancelled by the user; its state is saved")
    assert list((shared.home / "runs" / job_id / "checkpoints").glob("*.pt"))
    assert shared.cli("logs", job_id, "-f").returncode == 4


def _attach(shared: Installation, job_id: str) -> None:
    """Open a shell beside a job, look around there, and leave."""
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    command = [sys.executable, "-P", "-m", "fusionq", "attach", job_id]
    environ = {**shared.environ, "TERM": "vt100"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as attached:
        _read_until(ours, b"")
        os.write(ours, b"echo $COLOUR $TERM\r")
        _read_until(ours, b"green vt100\r")
        os.write(ours, b"exit 5\r")
    assert attached.returncode == 5
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def _read_until(terminal: int, text: bytes) -> None:
    told = b""
    while not told or text not in told:
        assert select.select([terminal], [], [], 60.0)[0], f"{text!r} is not in {told!r}"
        told += os.read(terminal, 65_536)


def test_a_command_or_a_shell_runs_beside_a_job_and_ends_with_it(shared: Installation) -> None:
    job_id = shared.submit("train.epochs=1000", "env.COLOUR=green", *SLOWLY)
    shared.await_epochs(job_id, 1)
    folder = shared.home / "runs" / job_id
    script = (
        "echo $COLOUR; pwd; echo $FUSIONQ_RUN_DIR; echo oops >&2; echo $CUDA_VISIBLE_DEVICES; "
        "python -c 'import importlib.util as u; print(u.find_spec(\"trainers\").origin)'; exit 7"
    )
    done = shared.cli("exec", job_id, "--", "sh", "-c", script)
    assert (done.returncode, done.stderr) == (7, "")
    *lines, code = done.stdout.splitlines()
    assert lines == ["green", str(shared.workdir), str(folder), "oops", ""]
    assert str(shared.home / "cache") in code, "as it was submitted"
    _attach(shared, job_id)
    hiding = f"env -i setsid sh -c 'echo $$ > {folder}/hiding; exec sleep 1000' &"
    beside = subprocess.Popen(
        [sys.executable, "-P", "-m", "fusionq", "exec", job_id, "sh", "-c", f"{hiding} exec sleep 1000"],
        env=shared.environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: (folder / "hiding").exists() and (folder / "hiding").read_text(), timeout_s=60)
    hidden = psutil.Process(int((folder / "hiding").read_text()))
    assert shared.cli("cancel", job_id).returncode == 0
    assert is_gone(hidden), "the job is over once nothing of it is left"
    assert f"{job_id} stopped, and the command with it" in beside.communicate(timeout=60)[1]
    assert beside.returncode == 7
    done = shared.cli("exec", job_id, "true")
    assert (done.returncode, len(done.stderr.splitlines())) == (7, 1)
    assert f"{job_id} has ended" in done.stderr


def test_a_job_over_its_timeout_is_stopped_and_says_so(shared: Installation) -> None:
    job_id = shared.submit("train.epochs=1000", "timeout=1s", *SLOWLY)
    record = shared.await_end(job_id)
    assert record.outcome is Outcome.TIMED_OUT
    assert "timeout of 1.0s" in record.reason
    assert shared.cli("logs", job_id, "-f").returncode == 5


def test_jobs_go_by_priority_and_then_first_come(shared: Installation) -> None:
    blocker = shared.submit("train.epochs=1000", *SLOWLY)
    shared.await_epochs(blocker, 1)
    low, high, low2 = (
        shared.submit("train.epochs=1"),
        shared.submit("train.epochs=1", "priority=5"),
        shared.submit("train.epochs=1"),
    )
    assert "waits for a free slot" in shared.status(low)["waits_for"]
    shared.cli("cancel", blocker)
    started = {job: shared.await_end(job).started_at for job in (low, high, low2)}
    assert sorted(started, key=started.__getitem__) == [high, low, low2]


def test_workers_shows_the_worker(shared: Installation) -> None:
    (worker,) = json.loads(shared.cli("workers", "--json").stdout)["workers"]
    assert (worker["name"], worker["slots"], worker["is_alive"]) == ("steady", 1, True)
    assert "steady" in shared.cli("workers").stdout


def test_a_trained_model_is_evaluated_and_predicts_in_jobs_of_their_own(shared: Installation) -> None:
    trained = shared.submit("train.epochs=2", file=JOBS / "digits.yaml")
    best = shared.await_end(trained).result["best_value"]
    evaluated = shared.submit(f"model.from={trained}", file=JOBS / "digits-evaluate.yaml")
    assert shared.await_end(evaluated).result["values"]["test_accuracy"] == best
    predicted = shared.await_end(shared.submit("model.from=digits", file=JOBS / "digits-predict.yaml"))
    assert predicted.result["predictions"] == 360
    done = shared.cli("submit", str(JOBS / "digits-predict.yaml"), "model.from=nothing")
    assert done.returncode == 3
    assert "neither a file in" in done.stderr


def test_a_worker_checks_a_job_before_it_is_submitted(shared: Installation) -> None:
    sender = Sender(make_app(lambda: shared.store.url), shared.store)
    check = WorkerCheck(shared.store, sender, shared.job_file.parent, within_s=60)
    wrong = load_job(shared.job_file, ["model._args_.1.in_features=65"])
    checked = check.of(Question([wrong], ""))
    assert "takes 65 features" in checked.verdicts[0].problems[0][1]
    sender.close()
