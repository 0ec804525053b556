"""The file names of a run folder, as people and their scripts rely on them."""

from __future__ import annotations

from pathlib import Path

from fusionq.spec.paths import RunPaths, artifact_file, code_cache


def test_every_name_in_the_run_folder_is_pinned():
    run = RunPaths.of_job(Path("/runs"), "j1")
    assert run.root == Path("/runs/j1")
    named = {name for name, value in vars(RunPaths).items() if isinstance(value, property)}
    assert {name: str(getattr(run, name).relative_to(run.root)) for name in named} == {
        "job_file": "job.yaml",
        "output_log": "output.log",
        "ranks": "ranks",
        "epoch_log": "logs.txt",
        "metrics": "metrics.jsonl",
        "history": "history.json",
        "environment": "environment.json",
        "result": "result.json",
        "record": "record.json",
        "all_models": "all_models",
        "best_models": "best_models",
        "checkpoints": "checkpoints",
        "plots": "plots",
        "metrics_csv": "metrics.csv",
        "tensorboard": "tensorboard",
        "exports": "exports",
        "predictions_npz": "predictions.npz",
        "predictions_csv": "predictions.csv",
    }


def test_numbered_files_and_those_of_code_are_pinned():
    run = RunPaths(Path("/r"))
    assert run.model_of_epoch(3) == Path("/r/all_models/model_3.pth")
    assert run.best_model(12) == Path("/r/best_models/model_12.pth")
    assert run.rank_log(3) == Path("/r/ranks/rank-3.log")
    assert run.plot("loss") == Path("/r/plots/loss.png")
    assert artifact_file(Path("/runs"), "abc") == Path("/runs/.artifacts/abc")
    assert code_cache(Path("/home")) == Path("/home/cache/code")
    assert run.checkpoint(2, 7, 45) == Path("/r/checkpoints/attempt-0002-epoch-000007-batch-00000045.pt")


def test_checkpoints_sort_by_attempt_epoch_and_batch():
    run = RunPaths(Path("/r"))
    in_order = [
        run.checkpoint(*place)
        for place in [(1, 9, 9), (2, 1, 0), (2, 2, 0), (2, 2, 100), (2, 10, 0), (10, 1, 1)]
    ]
    assert sorted(in_order) == in_order
