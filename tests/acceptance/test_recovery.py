"""A killed job goes on where it was, with the same result."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import psutil
import pytest
import torch

from fusionq.spec.record import JobRecord
from fusionq.spec.states import Outcome
from tests.acceptance.installation import LONG_S, SLOWLY, Installation
from tests.support import is_gone, wait_until

pytestmark = pytest.mark.acceptance


def best_of(record: JobRecord) -> dict[str, torch.Tensor]:
    return torch.load(record.result["best_model"], weights_only=True)


def assert_same_result(one: JobRecord, other: JobRecord) -> None:
    assert one.outcome is other.outcome is Outcome.SUCCEEDED, (one.reason, other.reason)
    for name, tensor in best_of(one).items():
        assert torch.equal(tensor, best_of(other)[name]), name
    histories = [json.loads((Path(r.run_dir) / "history.json").read_text()) for r in (one, other)]
    assert histories[0] == histories[1]
    logs = [(Path(r.run_dir) / "logs.txt").read_text().splitlines() for r in (one, other)]
    assert len(logs[0]) == len(logs[1]) == len(histories[0])


def test_a_job_goes_on_after_every_kind_of_death_with_the_same_result(installation: Installation) -> None:
    installation.cli("up")
    undisturbed = installation.submit("name=undisturbed", "train.epochs=8")
    first = installation.start_worker("first")
    expected = installation.await_end(undisturbed)

    job_id = installation.submit("train.epochs=8", *SLOWLY)
    installation.await_epochs(job_id, 1)
    installation.process_of(job_id, first).kill()  # the job process

    installation.await_epochs(job_id, 3, attempt=2)
    orphan = installation.process_of(job_id, first)
    first.kill()  # its worker
    first.wait()
    wait_until(lambda: is_gone(orphan), timeout_s=120, what="the orphan gone")
    second = installation.start_worker("second")

    installation.await_epochs(job_id, 5, attempt=3)
    second.send_signal(signal.SIGTERM)  # a shutdown, which is nobody's loss
    assert second.wait(timeout=120) == 0
    record = installation.store.jobs.get(job_id)
    assert (record.status, record.losses) == ("queued", 2)
    assert record.reason == "its worker was shut down; its state is saved"
    installation.start_worker("third")

    record = installation.await_end(job_id)
    assert record.attempt == 4
    assert_same_result(record, expected)
    log = installation.cli("logs", job_id).stdout
    assert log.count("going on from epoch") == 3


def test_a_job_that_kills_its_process_every_time_ends_as_failed(installation: Installation) -> None:
    (installation.workdir / "trainers.py").write_text(
        "import os, signal, fusionq as tf\n"
        "class Deadly(tf.StandardModel):\n"
        "    def __train_func__(self, *arguments):\n"
        "        os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    installation.cli("up")
    installation.start_worker("one")
    job_id = installation.submit("trainer=trainers.Deadly", "retry.max=1")
    record = installation.await_end(job_id)
    assert record.outcome is Outcome.FAILED
    assert record.reason == "its process crashed (SIGSEGV); it was tried 2 times"
    assert "Segmentation fault" in installation.cli("logs", job_id).stdout


def test_plain_celery_starts_the_same_worker(installation: Installation) -> None:
    installation.cli("up")
    command = ("-m", "celery", "-A", "fusionq.worker.app", "worker", "-P", "threads", "-l", "WARNING")
    worker = installation.start_worker("plain", command)
    assert installation.await_end(installation.submit()).outcome is Outcome.SUCCEEDED
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=120) == 0
    wait_until(lambda: len(installation.processes()) == 1, timeout_s=120, what="only Redis left")


def test_a_wrong_pool_is_refused(installation: Installation) -> None:
    import subprocess

    installation.cli("up")
    command = [sys.executable, "-m", "celery", "-A", "fusionq.worker.app", "worker", "-P", "solo"]
    done = subprocess.run(
        command,
        cwd=installation.workdir,
        env=installation.environ,
        capture_output=True,
        text=True,
        timeout=LONG_S,
    )
    assert done.returncode == 2
    assert "start with -P threads" in done.stderr


def test_a_second_signal_does_not_wait_for_the_state_to_be_saved(installation: Installation) -> None:
    installation.cli("up")
    worker = installation.start_worker("hasty")
    job_id = installation.submit("trainer={_target_: trainers.Slow, seconds: 60}")
    wait_until(lambda: installation.store.jobs.get(job_id).status == "running", timeout_s=LONG_S)
    wait_until(lambda: installation.store.streams.points(job_id), timeout_s=LONG_S, what="training")
    worker.send_signal(signal.SIGINT)
    wait_until(
        lambda: (
            installation.store.jobs.get(job_id).status == "running"
            and not installation.store.workers.alive()[0].accepting
        ),
        timeout_s=120,
        what="the worker stopping",
    )
    worker.send_signal(signal.SIGINT)
    assert worker.wait(timeout=50) == 0
    assert installation.store.jobs.get(job_id).status == "queued"
    assert "Traceback" not in (installation.home / "hasty.log").read_text()
    wait_until(lambda: len(installation.processes()) == 1, timeout_s=120, what="only Redis left")


# It leaves the session, runs no program of its own, and its parent is gone.
DAEMON = """
import os, time
import fusionq as tf

class Haunting(tf.StandardModel):
    def __train_func__(self, *arguments):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                open("daemon", "w").write(f"{os.getpid()}\\n")
                time.sleep(600)
            os._exit(0)
        time.sleep(600)
"""


def test_what_a_job_left_behind_is_gone_with_its_dead_worker(installation: Installation) -> None:
    (installation.workdir / "haunting.py").write_text(DAEMON)
    note = installation.workdir / "daemon"
    installation.cli("up")
    first = installation.start_worker("first")
    job_id = installation.submit("trainer=haunting.Haunting")
    wait_until(lambda: note.exists() and note.read_text().endswith("\n"), timeout_s=LONG_S, what="the daemon")
    daemon = psutil.Process(int(note.read_text()))
    first.kill()  # its guardian ends whatever the job left, and needs no other worker for that
    first.wait()
    wait_until(lambda: is_gone(daemon), timeout_s=120, what="the daemon gone")
    installation.cli("cancel", job_id, "--no-wait")
