"""Metrics: their values, their shapes, and that they resume in the middle of an epoch."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import fusionq as tf
from fusionq.errors import MetricError

SCORES = torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
CLASSES = torch.tensor([1, 1, 0, 0])


@pytest.mark.parametrize(("topK", "share"), [(1, 0.5), (2, 0.75), (3, 1.0), (9, 1.0)])
def test_accuracy_is_the_share_among_the_highest_scores(topK: int, share: float) -> None:
    metric = tf.Accuracy(topK=topK)
    metric.update(SCORES[:3], CLASSES[:3])
    metric.update(SCORES[3:], CLASSES[3:])
    assert metric.result() == metric.getValue() == share


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 1000))
def test_top_k_agrees_with_sorting(topK: int, batch: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores, classes = (
        torch.rand(batch, 5, generator=generator),
        torch.randint(5, (batch,), generator=generator),
    )
    metric = tf.Accuracy(topK=topK)
    metric.update(scores, classes)
    ranks = scores.argsort(1, descending=True)[:, :topK].tolist()
    hits = sum(target in rank for target, rank in zip(classes.tolist(), ranks, strict=True))
    assert metric.result() == hits / batch


def test_accuracy_counts_every_pixel_of_a_picture() -> None:
    scores = torch.stack([torch.zeros(2, 3, 3), torch.ones(2, 3, 3)], dim=1)  # always class 1
    targets = torch.ones(2, 3, 3, dtype=torch.long)
    targets[0, 0, 0] = 0
    metric = tf.Accuracy()
    metric.update(scores, targets)
    assert metric.result() == 17 / 18
    second = tf.Accuracy(topK=2)
    second.update(scores, targets)
    assert second.result() == 1.0


def test_mse_is_the_mean_over_all_elements() -> None:
    metric = tf.MSE()
    metric.update(torch.zeros(2, 3), torch.full((2, 3), 2.0))
    metric.update(torch.zeros(1, 3), torch.zeros(1, 3))
    assert metric.result() == pytest.approx(24 / 9)
    assert not metric.higher_is_better
    assert tf.Accuracy().higher_is_better


@pytest.mark.parametrize("metric", [tf.Accuracy(), tf.MSE()])
def test_without_a_batch_there_is_no_value(metric: tf.Metric) -> None:
    assert math.isnan(metric.result())


def test_names() -> None:
    assert tf.Accuracy().name == "Accuracy"
    assert tf.Accuracy(topK=5).name == "Top 5 Accuracy"
    assert tf.Accuracy(name="Top 1 Acc ", topK=1).name == "Top 1 Acc "
    assert tf.MSE().name == "MSE"


def test_a_metric_that_was_saved_goes_on() -> None:
    for make in (tf.Accuracy, tf.MSE):
        whole, first, rest = make(), make(), make()
        batches = [(SCORES, CLASSES), (SCORES[:1], CLASSES[:1])]
        if make is tf.MSE:
            batches = [(SCORES, SCORES * 0.9), (SCORES[:1], SCORES[:1] * 1.3)]
        whole.update(*batches[0])
        whole.update(*batches[1])
        first.update(*batches[0])
        rest.load_state_dict(first.state_dict())
        rest.update(*batches[1])
        assert rest.result() == whole.result()


@pytest.mark.parametrize(
    ("metric", "outputs", "targets", "words"),
    [
        (tf.Accuracy(), (4,), (4,), r"Accuracy needs scores of shape \(N, classes\).*got \(4,\) and \(4,\)"),
        (tf.Accuracy(), (4, 3), (4, 1), r"it got \(4, 3\) and \(4, 1\)"),
        (tf.Accuracy(topK=2), (4, 3), (5,), r"Top 2 Accuracy needs"),
        (tf.Accuracy(), (4, 3, 2), (4,), r"it got \(4, 3, 2\) and \(4,\)"),
        (tf.MSE(), (4, 1), (4,), r"MSE needs outputs and targets of one shape; it got \(4, 1\) and \(4,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_said(
    metric: tf.Metric, outputs: tuple[int, ...], targets: tuple[int, ...], words: str
) -> None:
    with pytest.raises(MetricError, match=words):
        metric.update(torch.zeros(outputs), torch.zeros(targets, dtype=torch.long))


def test_top_zero_is_refused() -> None:
    with pytest.raises(MetricError, match="topK is a number of classes from 1, not 0"):
        tf.Accuracy(topK=0)
