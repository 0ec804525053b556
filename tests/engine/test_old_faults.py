"""Faults of the project that this one descends from; none of them may come back."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib import pyplot
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import fusionq as tf
from fusionq.engine import training
from fusionq.engine.data.batches import ResidentBatches
from tests.engine.graphs import Watched
from tests.engine.jobs import assert_same_run, digits, job_spec, loader, network, run, run_with_stops, train
from tests.engine.scripted import best_models


def test_best_does_not_write_every_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    save = torch.save
    monkeypatch.setattr(torch, "save", lambda value, file: (written.append(file.name), save(value, file)))
    best_models(tmp_path, [0.3, 0.2, 0.1, 0.4], save_models="best")
    assert [Path(name).name.split(".")[1] for name in written] == ["model_1", "model_4"]
    assert not (tmp_path / "all_models").exists()


@pytest.mark.parametrize(
    ("values", "mode", "best"),
    [
        ([-5.0, -3.0, -4.0], "max", 2),  # never greater than 0.0
        ([5.0, 3.0, 4.0], "min", 2),  # less is better
        ([math.nan, 0.2, math.nan], "max", 2),
        ([0.0, 0.0], "max", 1),
    ],
)
def test_the_best_is_better_than_those_before_not_than_zero(
    values: list[float], mode: str, best: int, tmp_path: Path
) -> None:
    assert best_models(tmp_path, values, mode=mode) == [f"model_{best}.pth"]


def test_lr_schedule_sets_the_rate_of_the_epoch_that_it_is_asked_for(tmp_path: Path) -> None:
    rates = []

    class Noting(tf.StandardModel):
        def __train_func__(self, data, optimizer, *rest):
            epoch = rest[-2]
            rates.append((epoch, optimizer.param_groups[0]["lr"]))
            super().__train_func__(data, optimizer, *rest)

    asked = []

    def lr_schedule(epoch: int) -> float:
        asked.append(epoch)
        return 0.1 / epoch

    train(Noting(network()), tmp_path, train_loader=loader(most=144), num_epochs=3, lr_schedule=lr_schedule)
    assert asked == [1, 2, 3]
    assert rates == [(1, 0.1), (2, 0.05), (3, 0.1 / 3)]


@pytest.mark.parametrize("display", [False, True])
@pytest.mark.parametrize("save", [False, True])
def test_every_setting_of_the_plot_switches_works(display: bool, save: bool, tmp_path: Path) -> None:
    history = train(tf.StandardModel(network()), tmp_path, display_metrics=display, save_metrics=save)
    assert len(history.rows) == 1
    assert (tmp_path / "plots").exists() == save


def test_plots_do_not_pile_up_on_a_figure_of_the_users(tmp_path: Path) -> None:
    own = pyplot.figure("own")
    own.subplots().plot([1, 2])
    train(tf.StandardModel(network()), tmp_path, num_epochs=3, display_metrics=True, save_metrics=True)
    assert pyplot.get_figlabels() == ["own"]
    assert [len(axes.lines) for axes in own.axes] == [1]
    pyplot.close(own)


def test_no_gradients_are_computed_in_evaluation_and_prediction(tmp_path: Path) -> None:
    seen = []

    class Watching(tf.StandardModel):
        def __eval_function__(self, data: Any, metrics: Any) -> None:
            seen.append((torch.is_grad_enabled(), self.model.training))

        def __predict_func__(self, inputs: Any) -> Any:
            seen.append((torch.is_grad_enabled(), self.model.training))
            return super().__predict_func__(inputs)

    trainer = Watching(network())
    test = loader(train=False, most=10)
    trainer.evaluate(test, [])
    outputs = trainer.predict(test)
    trainer.predict(torch.zeros(1, 1, 8, 8))
    train(trainer, tmp_path, test_loader=test)
    assert seen == [(False, False)] * 4
    assert not outputs.requires_grad
    assert torch.is_grad_enabled()


def test_a_summary_does_not_change_the_statistics_of_batch_norm() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    before = [buffer.clone() for buffer in net.buffers()]
    print(tf.StandardModel(net).summary((1, 8, 8)))
    assert all(torch.equal(a, b) for a, b in zip(before, net.buffers(), strict=True))
    assert net.training


def test_prediction_takes_a_loader_of_pairs() -> None:
    trainer = tf.StandardModel(network())
    assert trainer.predict(loader(train=False)).shape == (360, 10)


class CountReads(TorchDispatchMode):
    """Counts how often a number is read from a tensor, which is where a GPU would be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.ops.aten._local_scalar_dense.default:
            self.reads += 1
        return function(*args, **(kwargs or {}))


def reads_of_training(folder: Path, num_samples: int) -> int:
    batches = ResidentBatches(digits(most=num_samples).tensors, 20, shuffle=True)
    test = ResidentBatches(digits(train=False, most=num_samples // 5).tensors, 20, shuffle=False)
    metrics = [[tf.Accuracy(), tf.Accuracy(topK=2)], [tf.Accuracy()]]
    with CountReads() as counting:
        train(
            tf.StandardModel(network()),
            folder,
            train_loader=batches,
            test_loader=test,
            train_metrics=metrics[0],
            test_metrics=metrics[1],
            save_models="best",
        )
    return counting.reads


def test_the_device_is_not_waited_for_in_every_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "LOG_INTERVAL_S", math.inf)
    few, many = reads_of_training(tmp_path, 100), reads_of_training(tmp_path, 1000)
    assert many == few
    with CountReads() as counting:
        torch.ones(2).sum().item()
    assert counting.reads == 1, "the test would see a read"


def test_a_stopped_training_goes_on(tmp_path: Path) -> None:
    run(job_spec(), tmp_path / "whole")
    assert run_with_stops(job_spec(), tmp_path / "stopped", [13]) == 2
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_write_that_is_cut_off_leaves_the_file_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = tf.StandardModel(network())
    path = tmp_path / "model.pth"
    trainer.save_model(path)
    before = path.read_bytes()

    def crash(value: Any, handle: Any) -> None:
        handle.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", crash)
    with pytest.raises(KeyboardInterrupt):
        trainer.save_model(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_code_that_does_not_detach_does_not_grow_memory(tmp_path: Path) -> None:
    """`running_loss.add_(loss.cpu() * batch_size)`, as the guide writes it."""
    layer, alive = Watched(), []

    class AsInTheGuide(tf.BaseModel):
        def __train_func__(self, data, optimizer, loss_fn, train_metrics, running_loss, epoch, batch_num):
            inputs, targets = data
            optimizer.zero_grad()
            outputs = self.model(inputs)
            loss = loss_fn(outputs, targets)
            loss.backward()
            optimizer.step()
            running_loss.add_(loss.cpu() * inputs.size(0))
            for metric in train_metrics:
                metric.update(outputs, targets)
            alive.append(layer.num_graphs)

    model = nn.Sequential(*network(), layer)
    train(AsInTheGuide(model), tmp_path, train_metrics=[tf.Accuracy(), tf.Accuracy(topK=2)])
    assert alive == [1] * 10
    assert layer.num_graphs == 0
