"""Pictures of the curves of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import fusionq as tf
from fusionq.engine.callbacks import plots
from fusionq.engine.callbacks.base import Callback
from fusionq.engine.curves import curves_of
from fusionq.spec.events import EpochEnd
from tests.engine import scripted
from tests.engine.jobs import job_spec, loader, network, run, train


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


class Huge(scripted.Never):
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
