"""`fusionq run` on a machine where nothing runs yet."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.installation import JOBS, Installation
from tests.support import wait_until

pytestmark = pytest.mark.acceptance


def test_one_command_trains_the_digits_and_leaves_nothing_running(installation: Installation) -> None:
    done = installation.cli("run", str(JOBS / "digits.yaml"), "train.epochs=8")
    assert done.returncode == 0, done.stderr
    assert "epoch 8/8" in done.stdout
    for word in ("embedded, started", "worker   started", "succeeded", "best_models/model_", "plots"):
        assert word in done.stderr
    wait_until(lambda: not installation.processes(), timeout_s=10, what="every process gone")

    run_dir = next((installation.home / "runs").iterdir())
    result = json.loads((run_dir / "result.json").read_text())
    assert result["best_value"] > 0.9
    for name in ("job.yaml", "output.log", "metrics.jsonl", "logs.txt", "history.json", "environment.json"):
        assert (run_dir / name).stat().st_size > 0, name
    assert (run_dir / "best_models" / f"model_{result['best_epoch']}.pth").exists()
    assert {path.name for path in (run_dir / "plots").iterdir()} == {"loss.png", "accuracy.png"}


def test_run_ends_with_the_exit_code_of_a_job_that_fails(installation: Installation) -> None:
    done = installation.cli("run", str(installation.job_file), "trainer=trainers.Faulty")
    assert done.returncode == 1
    assert "ValueError: these samples are odd (trainers.py, line" in done.stderr
    assert "Traceback" in done.stdout  # the job's own log
    wait_until(lambda: not installation.processes(), timeout_s=10, what="every process gone")
