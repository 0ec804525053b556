"""The records in a run folder, also after a stop."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import fusionq as tf
from fusionq.cli.epoch_lines import fit_epoch_line
from fusionq.engine.callbacks import files, pace
from fusionq.engine.callbacks.files import epoch_line
from fusionq.engine.files import write_json
from fusionq.engine.job import Job, run_job
from fusionq.engine.stopping import StopToken
from fusionq.spec.events import EpochEnd
from fusionq.spec.paths import RunPaths
from tests.engine.jobs import BATCHES, job_spec, loader, network, run, run_with_stops, train


def points(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def places(folder: Path) -> list[tuple[Any, ...]]:
    return [(p["kind"], p["epoch"], p.get("phase"), p.get("batch")) for p in points(folder)]


def test_a_run_folder_holds_the_whole_run(tmp_path: Path) -> None:
    result = run(job_spec("train.epochs=3", "checkpoint.save_models=all"), tmp_path)
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    best = f"best_models/model_{result['best_epoch']}.pth"
    assert names == {
        "environment.json", "history.json", "logs.txt", "metrics.jsonl", "result.json", best,
        "all_models/model_1.pth", "all_models/model_2.pth", "all_models/model_3.pth",
        "checkpoints/attempt-0001-epoch-000002-batch-00000000.pt",
        "checkpoints/attempt-0001-epoch-000003-batch-00000000.pt",
        "plots/loss.png", "plots/accuracy.png", "plots/lr.png",
    }  # fmt: skip
    history = json.loads((tmp_path / "history.json").read_text())
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert result["values"] == history[-1]
    assert result["best_model"] == str(tmp_path / best)
    assert result["best_value"] == max(row["test_accuracy"] for row in history)
    assert json.loads((tmp_path / "environment.json").read_text())["seed"] == 1


def test_the_epoch_log_has_one_line_for_each_epoch_also_after_stops(tmp_path: Path) -> None:
    run_with_stops(job_spec("train.epochs=3"), tmp_path, [BATCHES + 1, BATCHES + 5, 3])
    lines = (tmp_path / "logs.txt").read_text().splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


def test_an_epoch_in_one_line() -> None:
    event = EpochEnd(3, 20, 75.4, 12345.6, True, {"train_loss": 0.25, "test_mse": 1e-5})
    assert (
        epoch_line(event) == "epoch  3/20  train_loss 0.2500  test_mse 1e-05  1m 15s   12,346 samples/s  best"
    )
    short = fit_epoch_line(epoch_line(event), 60)  # what `fusionq run` makes of it on a narrow terminal
    assert short == "epoch  3/20  train_loss 0.2500  test_mse 1e-05  1m 15s *"


def test_a_name_that_is_no_valid_text_can_be_written(tmp_path: Path) -> None:
    """As names of files are where their bytes are no UTF-8."""
    key = "test_\udcff"
    write_json(tmp_path / "history.json", [{key: 1.0}])
    assert json.loads((tmp_path / "history.json").read_text("utf-8")) == [{key: 1.0}]
    event = EpochEnd(1, 1, duration_s=1.0, samples_per_s=1.0, is_best=True, values={key: 1.0}, best={})
    log = files.EpochLog(tmp_path / "logs.txt")
    log.on_epoch_end(None, event)  # type: ignore[arg-type]
    assert "test_\\udcff 1.0000" in (tmp_path / "logs.txt").read_text("utf-8")


@pytest.mark.parametrize("stops", [[4, BATCHES, 5], [BATCHES + 4, 3, BATCHES]])
def test_metric_points_are_neither_doubled_nor_lost_by_a_resume(
    stops: list[int], tmp_path: Path, looks_always: None
) -> None:
    spec = job_spec("data.test={_target_: tests.engine.noisy.NoisyDigits}")  # in ten batches
    run(spec, tmp_path / "whole")
    run_with_stops(spec, tmp_path / "stopped", stops)
    whole, stopped = places(tmp_path / "whole"), places(tmp_path / "stopped")
    # A batch that was stopped at is not looked at.
    assert len(stopped) == len(set(stopped))
    assert set(stopped) <= set(whole)
    assert len(whole) - len(stopped) <= len(stops)
    values = {place: point["values"] for place, point in zip(whole, points(tmp_path / "whole"), strict=True)}
    for place, point in zip(stopped, points(tmp_path / "stopped"), strict=True):
        assert point["values"] == values[place]


def test_points_after_the_last_checkpoint_and_half_lines_are_dropped(
    tmp_path: Path, looks_always: None
) -> None:
    run(job_spec("train.epochs=1"), tmp_path)
    file = tmp_path / "metrics.jsonl"
    known = file.read_text()
    later = [
        {"kind": "progress", "epoch": 2, "phase": "train", "batch": 4},
        {"kind": "progress", "epoch": 2, "phase": "test", "batch": 1},
        {"kind": "epoch", "epoch": 2},
    ]
    file.write_text(known + "".join(json.dumps(point) + "\n" for point in later) + '{"kind": "prog')
    run(job_spec("train.epochs=2"), tmp_path, attempt=2)
    assert file.read_text().startswith(known)
    assert len(places(tmp_path)) == len(set(places(tmp_path)))
    assert [place[1] for place in places(tmp_path) if place[0] == "epoch"] == [1, 2]


def test_csv_has_a_row_for_each_epoch(tmp_path: Path) -> None:
    run_with_stops(job_spec("callbacks=[{_target_: CsvLog}]"), tmp_path, [BATCHES + 3])
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    history = json.loads((tmp_path / "history.json").read_text())
    assert [{key: float(value) for key, value in row.items()} for row in rows] == history


def test_the_history_is_written_once_a_second_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    monkeypatch.setattr(files, "write_json", lambda path, rows: writes.append(len(rows)))
    monkeypatch.setattr(pace, "SHORTEST_S", 1e9)
    small = {"train_loader": loader(most=20)}
    train(tf.StandardModel(network()), tmp_path, num_epochs=5, **small)
    assert writes == [1, 5]

    class Failing(tf.StandardModel):
        def on_epoch_end(self, epoch: int, *_: Any) -> None:
            if epoch == 3:
                raise RuntimeError

    writes.clear()
    with pytest.raises(RuntimeError):
        train(Failing(network()), tmp_path, num_epochs=5, **small)
    assert writes == [1, 3]


def test_what_a_kill_after_the_last_checkpoint_left_unwritten_is_written_when_it_goes_on(
    tmp_path: Path,
) -> None:
    spec = job_spec("callbacks=[CsvLog]")
    run(spec, tmp_path)
    files = [tmp_path / "history.json", tmp_path / "metrics.csv"]
    whole = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    run(spec, tmp_path, attempt=2)
    assert [file.read_bytes() for file in files] == whole


def test_tensorboard_gets_the_points(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run_with_stops(job_spec("callbacks=[{_target_: TensorBoard}]"), tmp_path, [BATCHES + 3])
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    history = json.loads((tmp_path / "history.json").read_text())
    tags = {f"{name}/{phase}" for name in ("loss", "accuracy") for phase in ("train", "test")}
    assert set(events.Tags()["scalars"]) == {*tags, "lr"}
    for tag, key in {"accuracy/test": "test_accuracy", "loss/train": "train_loss", "lr": "lr"}.items():
        scalars = events.Scalars(tag)
        assert [scalar.step for scalar in scalars] == [1, 2]
        assert [scalar.value for scalar in scalars] == pytest.approx([row[key] for row in history])


def test_tensorboard_gets_what_a_sweep_changed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    spec = job_spec("callbacks=[{_target_: TensorBoard}]", "train.epochs=1")
    job = Job(spec, RunPaths(tmp_path), 1, tmp_path, provenance={"params": {"optimizer.lr": 0.01}})
    run_job(job, lambda event: None, StopToken())
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert events.SummaryMetadata("_hparams_/session_start_info").plugin_data.plugin_name == "hparams"
    assert json.loads((tmp_path / "result.json").read_text())["params"] == {"optimizer.lr": 0.01}


@pytest.mark.parametrize(
    ("every", "positions"),
    [
        ("1ep", [(1, 0), (2, 0), (3, 0)]),
        ("2ep", [(2, 0), (3, 0)]),
        ("4ba", [(0, 4), (0, 8), (1, 2), (1, 6), (1, 10), (2, 4), (2, 8), (3, 0)]),
        ("10m", [(3, 0)]),
    ],
)
def test_checkpoints_are_saved_as_often_as_asked(
    every: str, positions: list[tuple[int, int]], tmp_path: Path
) -> None:
    run(job_spec(f"checkpoint.every={every}", "checkpoint.keep=99", "train.epochs=3"), tmp_path)
    found = [path.stem.split("-") for path in sorted((tmp_path / "checkpoints").iterdir())]
    assert [(int(parts[3]), int(parts[5])) for parts in found] == positions


def test_the_log_says_where_an_attempt_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_with_stops(job_spec("train.epochs=2"), tmp_path, [2])
    assert "going on from epoch 1, batch 3\n" in capsys.readouterr().out
    run(job_spec("train.epochs=2"), tmp_path, attempt=3)
    assert "going on after the last epoch\n" in capsys.readouterr().out
