"""A metric of torchmetrics counts like one of ours."""

from __future__ import annotations

import warnings

import pytest
import torch

import fusionq as tf
from fusionq.engine.torchmetrics_adapter import TorchMetric, is_torchmetric
from tests.engine.jobs import BATCHES, job_spec, last_state, run, run_with_stops, same

classification = pytest.importorskip("torchmetrics.classification")
regression = pytest.importorskip("torchmetrics.regression")


pytestmark = pytest.mark.filterwarnings("ignore:No positive samples")


def batches(number: int = 5) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(2)
    return [
        (torch.rand(7, 10, generator=generator), torch.randint(10, (7,), generator=generator))
        for _ in range(number)
    ]


def test_its_value_is_ours() -> None:
    theirs = TorchMetric(classification.MulticlassAccuracy(10, average="micro", top_k=2))
    ours = tf.Accuracy(topK=2)
    for outputs, targets in batches():
        theirs.update(outputs, targets)
        ours.update(outputs, targets)
    assert theirs.result() == pytest.approx(ours.result())
    theirs.reset()
    theirs.update(torch.eye(10), torch.arange(10))
    assert theirs.result() == 1.0


def test_it_knows_whether_higher_is_better() -> None:
    assert TorchMetric(classification.MulticlassAccuracy(10)).higher_is_better
    assert not TorchMetric(regression.MeanSquaredError()).higher_is_better


def test_its_name_can_be_chosen() -> None:
    assert TorchMetric(regression.MeanSquaredError()).name == "MeanSquaredError"
    assert TorchMetric(regression.MeanSquaredError(), "error").name == "error"


def test_it_is_told_from_others() -> None:
    assert is_torchmetric(regression.MeanSquaredError())
    assert not is_torchmetric(tf.Accuracy())


@pytest.mark.parametrize(
    "make",
    [
        lambda: classification.MulticlassF1Score(10),
        lambda: classification.MulticlassAUROC(10, thresholds=None),  # its state is a list of batches
    ],
)
def test_a_metric_that_was_saved_goes_on(make) -> None:
    whole, first, rest = TorchMetric(make()), TorchMetric(make()), TorchMetric(make())
    for i, (outputs, targets) in enumerate(batches()):
        whole.update(outputs, targets)
        first.update(outputs, targets) if i < 3 else None
    rest.load_state_dict(first.state_dict())
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*was called before the")  # it was updated before
        assert rest.result() == first.result()
    for outputs, targets in batches()[3:]:
        rest.update(outputs, targets)
    assert rest.result() == whole.result()


@pytest.mark.parametrize("name", ["MulticlassF1Score", "MulticlassAUROC"])
def test_a_job_that_stops_within_an_epoch_keeps_it_exact(name: str, tmp_path) -> None:
    block = f"metrics.train=[{{_target_: torchmetrics.classification.{name}, num_classes: 10, name: mine}}]"
    spec = job_spec(block, "train.epochs=1")
    run(spec, tmp_path / "whole")
    run_with_stops(spec, tmp_path / "stopped", [BATCHES // 2])
    states = [last_state(tmp_path / folder) for folder in ("whole", "stopped")]
    assert same(states[0]["history"], states[1]["history"])
    assert 0 < states[0]["history"][0]["train_mine"] < 1
