"""What is written and told around training, also after a stop."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

import fusionq as tf
from fusionq.cli.epoch_lines import fit_epoch_line
from fusionq.engine import training
from fusionq.engine.callbacks import files, pace, plots
from fusionq.engine.callbacks.base import Callback, CallbackList
from fusionq.engine.callbacks.files import epoch_line
from fusionq.engine.curves import curves_of
from fusionq.engine.job import Job, run_job
from fusionq.engine.stopping import StopToken
from fusionq.spec.events import EpochEnd, Event, Progress, Started, Warned
from fusionq.spec.paths import RunPaths
from tests.engine.jobs import BATCHES, StopAfter, job_spec, loader, network, run, run_with_stops, train


def points(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def places(folder: Path) -> list[tuple[Any, ...]]:
    return [(p["kind"], p["epoch"], p.get("phase"), p.get("batch")) for p in points(folder)]


@pytest.fixture
def looks_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress after every batch instead of every second."""
    monkeypatch.setattr(training, "LOG_INTERVAL_S", 0.0)


# --- files -----------------------------------------------------------------------------------------------


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


def test_metric_points_are_never_doubled_by_a_resume(tmp_path: Path, looks_always: None) -> None:
    run(job_spec(), tmp_path / "whole")
    run_with_stops(job_spec(), tmp_path / "stopped", [4, BATCHES, 5])
    whole, stopped = places(tmp_path / "whole"), places(tmp_path / "stopped")
    # A batch that was stopped at is not looked at.
    assert len(stopped) == len(set(stopped))
    assert set(stopped) <= set(whole)
    assert len(whole) - len(stopped) <= 3
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


# --- plots -------------------------------------------------------------------------------------------------


def test_plots_are_overwritten_and_do_not_pile_up(tmp_path: Path) -> None:
    from matplotlib import pyplot

    sizes = []

    class Looking(tf.StandardModel):
        def on_epoch_end(self, *_: Any) -> None:
            sizes.append(sorted(path.name for path in (tmp_path / "plots").glob("*")))

    more = {"test_loader": loader(train=False), "test_metrics": [tf.Accuracy()]}
    train(
        Looking(network()), tmp_path, num_epochs=4, save_metrics=True, train_metrics=[tf.Accuracy()], **more
    )
    assert sizes == [["accuracy.png", "loss.png", "lr.png"]] * 4
    assert pyplot.get_fignums() == []
    assert (tmp_path / "plots" / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_shown_plots_use_one_figure_for_each_value(tmp_path: Path) -> None:
    from matplotlib import pyplot

    seen = []

    class Looking(Callback):
        def on_epoch_end(self, training: Any, event: EpochEnd) -> None:
            seen.append([len(pyplot.figure(label).axes) for label in pyplot.get_figlabels()])

    train(
        tf.StandardModel(network()),
        tmp_path,
        num_epochs=3,
        display_metrics=True,
        train_metrics=[tf.Accuracy()],
        callbacks=[Looking()],
    )
    assert seen == [[1, 1, 1]] * 3
    assert pyplot.get_fignums() == []


def test_a_picture_holds_what_belongs_together(tmp_path: Path) -> None:
    found = []

    class Looking(Callback):
        def on_train_end(self, training: Any) -> None:
            found.extend(curves_of(training))

    optimizer = torch.optim.SGD((model := network()).parameters(), lr=1.0)
    rates = {"lr_schedule": lambda epoch: 10.0**-epoch, "optimizer": optimizer}
    more = {
        "test_loader": loader(train=False),
        "test_metrics": [tf.Accuracy(name="top1"), tf.Accuracy(topK=2)],
    }
    measures = {"train_metrics": [tf.Accuracy()], "callbacks": [Looking()], "num_epochs": 3}
    train(tf.StandardModel(model), tmp_path, **more, **measures, **rates)
    assert {curves.name: list(curves.lines) for curves in found} == {
        "loss": ["train", "test"],
        "accuracy": ["train", "test top1", "test top_2_accuracy"],
        "lr": ["lr"],
    }
    assert [curves.name for curves in found if curves.is_logarithmic] == ["lr"]


# --- models ------------------------------------------------------------------------------------------------


class Scripted(tf.Metric):
    """Gives one value after another."""

    def __init__(self, values: list[float], name: str = "scripted") -> None:
        self.values = values
        super().__init__(name)

    def reset(self) -> None:
        self.value = self.values[0]

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        pass

    def result(self) -> float:
        return self.values[0]


class NextValue(Callback):
    def __init__(self, metric: Scripted) -> None:
        self.metric = metric

    def on_epoch_end(self, training: Any, event: EpochEnd) -> None:
        self.metric.values = self.metric.values[1:]


def best_models(folder: Path, values: list[float], **more: Any) -> list[str]:
    metric = Scripted(values)
    train(
        tf.StandardModel(network()),
        folder,
        train_loader=loader(most=100),
        num_epochs=len(values),
        train_metrics=[metric],
        callbacks=[NextValue(metric)],
        **more,
    )
    return sorted(path.name for path in (folder / "best_models").glob("*"))


def test_only_the_best_model_is_kept(tmp_path: Path) -> None:
    assert best_models(tmp_path, [-0.5, -0.2, -0.4, -0.2]) == ["model_2.pth"]


def test_a_new_training_in_the_folder_of_an_old_one_keeps_its_own_best(tmp_path: Path) -> None:
    assert best_models(tmp_path, [0.1, 0.2, 0.3]) == ["model_3.pth"]
    assert best_models(tmp_path, [0.1, 0.5, 0.2]) == ["model_2.pth"]


def test_several_best_models_are_kept_where_asked_for(tmp_path: Path) -> None:
    spec = job_spec(
        "checkpoint.keep_best=2", "train.epochs=5", "checkpoint.monitor=train_loss", "optimizer.lr=0.001"
    )
    run(spec, tmp_path)
    assert sorted(path.name for path in (tmp_path / "best_models").iterdir()) == [
        "model_4.pth",
        "model_5.pth",
    ]


def test_saved_models_are_plain_state_dicts(tmp_path: Path) -> None:
    run(job_spec("train.epochs=1", "train.ema=0.5"), tmp_path)
    held = torch.load(tmp_path / "best_models" / "model_1.pth", weights_only=True)
    assert list(held) == ["1.weight", "1.bias", "4.weight", "4.bias"]


# --- the end -----------------------------------------------------------------------------------------------


def test_early_stopping_ends_after_its_patience(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = job_spec("train.early_stopping=3", "train.epochs=9", "optimizer={_target_: SGD, lr: 0.0}")
    result = run(spec, tmp_path)
    assert (result["epochs"], result["best_epoch"]) == (4, 1)
    assert result["ended_early"] == "no better test_accuracy since epoch 1"
    assert "ended early: no better test_accuracy since epoch 1" in capsys.readouterr().out
    again = run(spec, tmp_path, attempt=2)
    assert (again["epochs"], again["ended_early"]) == (4, result["ended_early"])


def test_a_job_that_gets_better_is_not_ended(tmp_path: Path) -> None:
    spec = job_spec("train.early_stopping=1", "train.epochs=3", "checkpoint.monitor=train_loss")
    result = run(spec, tmp_path)
    assert result["epochs"] == 3
    assert "ended_early" not in result


# --- checkpoints -------------------------------------------------------------------------------------------


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


# --- telling -----------------------------------------------------------------------------------------------


def test_the_world_is_told_of_start_progress_epochs_and_warnings(tmp_path: Path, looks_always: None) -> None:
    events: list[Event] = []
    run(job_spec("train.epochs=1"), tmp_path, report=events.append)
    started, *progress, end = events
    assert started == Started("cpu", 64 * 16 + 16 + 160 + 10, 1, BATCHES)
    assert [event.batch for event in progress if event.phase == "train"] == list(range(1, BATCHES + 1))
    assert {event.phase for event in progress} == {"train", "test"}
    assert all(isinstance(event, Progress) and event.num_batches >= event.batch for event in progress)
    assert "train_accuracy" in progress[0].values
    assert "test_accuracy" in progress[-1].values
    assert isinstance(end, EpochEnd)
    assert end.is_best
    assert progress[BATCHES - 1].values["train_loss"] == end.values["train_loss"]


def test_a_resumed_job_says_where_it_goes_on(tmp_path: Path) -> None:
    run(job_spec(), tmp_path, stop=StopAfter(4))
    events: list[Event] = []
    run(job_spec(), tmp_path, attempt=2, report=events.append)
    assert (events[0].epoch, events[0].batch) == (0, 4)


def test_replaced_data_is_told(tmp_path: Path) -> None:
    events: list[Event] = []
    mnist = "{_target_: MNIST, root: %s, download: false}" % (tmp_path / "missing")
    run(
        job_spec(
            f"data.train={mnist}", "data.offline=digits", "train.epochs=1", "model._args_.1.in_features=784"
        ),
        tmp_path,
        report=events.append,
    )  # fmt: skip
    (warning,) = (event for event in events if isinstance(event, Warned))
    assert "TRAINING ON scikit-learn's digits INSTEAD" in warning.text
    assert warning.text in json.loads((tmp_path / "environment.json").read_text())["data"]


def test_callbacks_are_called_in_their_order(tmp_path: Path) -> None:
    calls = []

    class Noting(Callback):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_train_start(self, training: Any) -> None:
            calls.append((self.name, "start"))

        def on_epoch_end(self, training: Any, event: EpochEnd) -> None:
            calls.append((self.name, training.epoch, training.batch))

        def on_stop(self, training: Any) -> None:
            calls.append((self.name, "stop"))

        def on_train_end(self, training: Any) -> None:
            calls.append((self.name, "end"))

    callbacks = [Noting("a"), Noting("b")]
    train(tf.StandardModel(network()), tmp_path, callbacks=callbacks)
    assert calls == [
        ("a", "start"), ("b", "start"), ("a", 1, 0), ("b", 1, 0), ("a", "end"), ("b", "end"),
    ]  # fmt: skip
    calls.clear()
    token = StopToken()
    token.request()
    train(tf.StandardModel(network()), tmp_path, callbacks=callbacks, stop=token)
    assert calls == [("a", "start"), ("b", "start"), ("a", "stop"), ("b", "stop")]


def test_a_callback_that_overrides_no_batch_hook_costs_nothing_per_batch() -> None:
    class OnBatch(Callback):
        def on_batch_end(self, training: Any) -> None:
            pass

    assert len(CallbackList([Callback(), OnBatch()]).batch_end_hooks) == 1
    assert CallbackList([Callback(), OnBatch()]).batch_start_hooks == []


class Leaves(Callback):
    def __init__(self, left: list[str], name: str, error: Exception | None = None) -> None:
        self.left, self.kind, self.error = left, name, error

    def on_leave(self, training: Any) -> None:
        self.left.append(self.kind)
        if self.error is not None:
            raise self.error


def test_every_callback_is_called_when_training_is_left_and_the_first_error_ends_it(tmp_path: Path) -> None:
    left: list[str] = []
    errors = [None, OSError("first"), ValueError("second"), None]
    callbacks = [Leaves(left, str(i), error) for i, error in enumerate(errors)]
    with pytest.raises(OSError, match="first"):
        train(tf.StandardModel(network()), tmp_path, callbacks=callbacks, train_loader=loader(most=20))
    assert left == ["0", "1", "2", "3"]


def test_the_error_of_a_training_is_not_hidden_by_one_on_leaving_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing(tf.StandardModel):
        def __train_func__(self, *_: Any) -> None:
            raise RuntimeError("the cause")

    with pytest.raises(RuntimeError, match="the cause"):
        train(Failing(network()), tmp_path, callbacks=[Leaves([], "", OSError("the disk is full"))])
    assert "on_leave of a callback failed (OSError: the disk is full)" in capsys.readouterr().out


def test_an_optional_callback_that_fails_at_a_batch_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[int] = []

    class Fails(Callback):
        is_optional = True

        def on_batch_start(self, training: Any) -> None:
            seen.append(training.batch)
            raise OSError("no room")

    train(tf.StandardModel(network()), tmp_path, callbacks=[Fails()])
    assert seen == [0]
    assert capsys.readouterr().out.count("Fails failed and is left out from here on (OSError: no room)") == 1


def test_a_model_summary_is_printed_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_with_stops(job_spec(), tmp_path / "plain", [])
    run_with_stops(job_spec("callbacks=[ModelSummary]"), tmp_path / "told", [])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Linear_1")]
    assert "1,040" in line
    plain, told = ((tmp_path / name / "history.json").read_text() for name in ("plain", "told"))
    assert plain == told


# --- what ends no training ---------------------------------------------------------------------------------


class Never(tf.Metric):
    """Never a number; with `good` in one epoch."""

    def __init__(self, value: float = math.nan, good: int = 0) -> None:
        self.value, self.good, self.epoch = value, good, 0
        super().__init__("odd")

    def reset(self) -> None:
        self.epoch += 1

    def update(self, outputs: Any, targets: Any) -> None:
        pass

    def result(self) -> float:
        return 0.5 if self.epoch - 1 == self.good else self.value


def test_the_last_model_is_kept_where_the_monitored_value_is_never_a_number(tmp_path: Path) -> None:
    events: list[Event] = []
    block = f"metrics.test=[{{_target_: {__name__}.Never}}]"
    result = run(job_spec(block, "train.epochs=3"), tmp_path, report=events.append)
    assert result["best_model"] == str(tmp_path / "best_models" / "model_3.pth")
    assert [path.name for path in (tmp_path / "best_models").iterdir()] == ["model_3.pth"]
    assert (result["best_epoch"], result["best_value"]) == (0, None)
    first, last = (event.text for event in events if isinstance(event, Warned))
    assert first == "test_odd is nan in epoch 1; such an epoch is never the best"
    assert last == "test_odd was never a number, so no epoch is the best; the last model is kept"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_epoch_without_a_number_is_not_the_best(value: float, tmp_path: Path) -> None:
    model = tf.StandardModel(network())
    more = {"test_loader": loader(train=False, most=50), "test_metrics": [Never(value, good=2)]}
    train(model, tmp_path, num_epochs=3, save_models="best", train_loader=loader(most=50), **more)
    assert [path.name for path in (tmp_path / "best_models").iterdir()] == ["model_2.pth"]


def test_early_stopping_says_that_there_was_no_number(tmp_path: Path) -> None:
    block = f"metrics.test=[{{_target_: {__name__}.Never}}]"
    result = run(job_spec(block, "train.epochs=3", "train.early_stopping=2"), tmp_path)
    assert result["ended_early"] == "test_odd was not a number in any of 2 epochs"


class Huge(Never):
    """A whole number that no float can hold, with a name that no file can have."""

    def __init__(self) -> None:
        super().__init__()
        self.name = "x" * 5000

    def result(self) -> Any:
        return 10**400


def test_no_number_and_no_name_fails_a_training_by_its_picture(tmp_path: Path) -> None:
    block = f"metrics.train=[{{_target_: {__name__}.Huge}}]"
    result = run(job_spec(block, "train.epochs=1", "checkpoint.monitor=test_accuracy"), tmp_path)
    assert result["epochs"] == 1
    assert (tmp_path / "plots" / "loss.png").exists()


def test_a_picture_that_fails_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OverflowError("cannot be drawn")

    monkeypatch.setattr(plots, "pictures", fail)
    train(tf.StandardModel(network()), tmp_path, num_epochs=2, save_metrics=True)
    warning = "WARNING: Plots failed and is left out from here on (OverflowError: cannot be drawn)"
    assert capsys.readouterr().out.count(warning) == 1


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


def test_the_bar_shows_loss_and_metrics_also_in_short_epochs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = {"train_metrics": [tf.Accuracy()], "batch_log": True}
    history = train(tf.StandardModel(network()), tmp_path, num_epochs=2, **more)
    frames = capsys.readouterr().err.split("\r")
    for row in history.rows:
        words = f"train_loss={row['train_loss']:.4f}, train_accuracy={row['train_accuracy']:.4f}"
        assert any(f"epoch {row['epoch']}/2" in frame and words in frame for frame in frames)
