"""`fusionq run` on a machine where nothing runs yet."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.installation import JOBS, Installation
from tests.support import wait_until

pytestmark = pytest.mark.acceptance


def test_one_command_trains_the_digits_and_leaves_nothing_running(installation: Installation) -> None:
    done = installation.cli("run", str(JOBS / "digits.yaml"), "train.epochs=8", "resources.cpus=1")
    assert done.returncode == 0, done.stderr
    assert "epoch 8/8" in done.stdout
    for word in ("embedded, started", "worker   started", "succeeded", "best_models/model_", "plots"):
        assert word in done.stderr
    wait_until(lambda: not installation.processes(), timeout_s=120, what="every process gone")

    run_dir = next((installation.home / "runs").iterdir())
    result = json.loads((run_dir / "result.json").read_text())
    assert result["best_value"] > 0.9
    for name in ("job.yaml", "output.log", "metrics.jsonl", "logs.txt", "history.json", "environment.json"):
        assert (run_dir / name).stat().st_size > 0, name
    assert (run_dir / "best_models" / f"model_{result['best_epoch']}.pth").exists()
    assert {path.name for path in (run_dir / "plots").iterdir()} == {"loss.png", "accuracy.png", "lr.png"}


def test_run_ends_with_the_exit_code_of_a_job_that_fails(installation: Installation) -> None:
    done = installation.cli("run", str(installation.job_file), "trainer=trainers.Faulty")
    assert done.returncode == 1
    assert "ValueError: these samples are odd (trainers.py, line" in done.stderr
    assert "Traceback" in done.stdout  # the job's own log
    wait_until(lambda: not installation.processes(), timeout_s=120, what="every process gone")


def test_a_sweep_is_followed_as_one(installation: Installation) -> None:
    done = installation.cli(
        "run", str(JOBS / "digits.yaml"), "train.epochs=1", "optimizer.lr=1e-1,1e-2", "resources.cpus=1"
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 2 done" in done.stderr
    table = installation.cli("compare", "last", "--json")
    first, second = json.loads(table.stdout)["jobs"]
    assert first["best"]["value"] > second["best"]["value"] > 0
    assert {first["params"]["optimizer.lr"], second["params"]["optimizer.lr"]} == {0.1, 0.01}


def test_a_chain_trains_measures_and_predicts(installation: Installation) -> None:
    done = installation.cli("run", str(JOBS / "digits-chain.yaml"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("succeeded in") == 3
    assert "predictions.csv" in done.stderr


def test_what_cannot_work_fails_before_it_trains_with_its_place(installation: Installation) -> None:
    done = installation.cli("run", str(JOBS / "digits.yaml"), "model._args_.1.in_features=65")
    assert done.returncode == 1
    assert "model._args_.1: Linear(65→64) takes 65 features, but gets a 32 x 64 batch" in done.stderr
    assert "epoch 1" not in done.stdout


OWN_MODULE = """
import fusionq
import {name}

class Say(fusionq.Callback):
    def on_epoch_end(self, training, event):
        print("own", {name}.__file__, flush=True)
"""


def test_files_with_the_names_of_everybodys_modules_do_no_harm(installation: Installation) -> None:
    """The command line, a worker that is started there, its fork server and the job find their own."""
    folder = installation.workdir
    for name in ("queue", "types", "random", "logging", "celery", "click", "numpy", "torch", "fusionq"):
        (folder / f"{name}.py").write_text("raise RuntimeError('of the folder')\n")
    for name in ("workers", "redis"):
        (folder / f"{name}.py").write_text(OWN_MODULE.format(name=name))
    callbacks = "callbacks=[{_target_: workers.Say}, {_target_: redis.Say}]"
    done = installation.cli("run", str(installation.job_file), "train.epochs=1", callbacks)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("own ") == 2
    assert "workers.py" in done.stdout
    assert "redis.py" in done.stdout
