"""The history, and which epoch is the best."""

from __future__ import annotations

import math

import pytest

import fusionq as tf
from fusionq.engine.history import Best, History, choose_best, key_of, keys_of
from fusionq.errors import MetricError

NAN = math.nan


@pytest.mark.parametrize(
    ("mode", "values", "best"),
    [
        ("max", [0.1, 0.3, 0.2], 2),
        ("min", [0.3, 0.1, 0.2], 2),
        ("max", [0.5, 0.5, 0.5], 1),
        ("min", [0.5, 0.5, 0.5], 1),
        ("max", [-3.0, -2.0, -5.0], 2),
        ("min", [3.0, 2.0, 5.0], 2),
        ("max", [NAN, 0.1, NAN, 0.2], 4),
        ("min", [NAN, 0.1, NAN, 0.2], 2),
        ("max", [0.0, 0.0], 1),
        ("max", [NAN, NAN], 0),
        ("max", [-math.inf, -1.0], 2),
    ],
)
def test_the_best_epoch(mode: str, values: list[float], best: int) -> None:
    keeper = Best("test_accuracy", mode)
    offers = [keeper.offer(epoch, value) for epoch, value in enumerate(values, 1)]
    assert keeper.epoch == best
    assert [i for i, is_best in enumerate(offers, 1) if is_best][-1:] == ([best] if best else [])


def test_a_best_that_was_saved_is_still_to_be_beaten() -> None:
    first, rest = Best("a", "max"), Best("a", "max")
    first.offer(1, 0.5)
    rest.load_state_dict(first.state_dict())
    assert not rest.offer(2, 0.5)
    assert rest.offer(3, 0.6)


def test_the_best_of_another_measure_says_nothing() -> None:
    first = Best("a", "max")
    first.offer(1, 0.5)
    for other in (Best("b", "max"), Best("a", "min")):
        other.load_state_dict(first.state_dict())
        assert other.epoch == 0
        assert other.offer(2, 0.9)


def test_the_first_metric_of_the_tests_decides_by_default() -> None:
    accuracy, mse = tf.Accuracy(), tf.MSE()
    best = choose_best(
        None, None, {"train_accuracy": accuracy}, [{"val_mse": mse}, {"test_accuracy": accuracy}]
    )
    assert (best.monitor, best.mode) == ("val_mse", "min")
    best = choose_best(None, None, {"train_accuracy": accuracy}, [{}])
    assert (best.monitor, best.mode) == ("train_accuracy", "max")
    best = choose_best(None, None, {}, [])
    assert (best.monitor, best.mode) == ("train_loss", "min")
    assert choose_best("train_loss", None, {"train_accuracy": accuracy}, []).mode == "min"
    assert choose_best("train_accuracy", "min", {"train_accuracy": accuracy}, []).mode == "min"


def test_an_unknown_monitor_is_refused_with_what_there_is() -> None:
    with pytest.raises(
        MetricError, match="no value 'test_top1'; this job has train_loss, test_accuracy, train_accuracy"
    ):
        choose_best("test_top1", None, {"train_accuracy": tf.Accuracy()}, [{"test_accuracy": tf.Accuracy()}])


def test_keys_are_words() -> None:
    assert key_of("test", "Top 1 Acc ") == "test_top_1_acc"
    assert key_of("train", "F1 (macro)") == "train_f1_macro"
    assert keys_of("test", [tf.Accuracy(), tf.Accuracy(topK=2)]) == ["test_accuracy", "test_top_2_accuracy"]


def test_two_metrics_of_one_name_are_refused() -> None:
    with pytest.raises(MetricError, match="two metrics are both called 'MSE'; give one of them another name"):
        keys_of("test", [tf.MSE(), tf.MSE()])
    with pytest.raises(
        MetricError, match="the metrics 'Accuracy' and 'accuracy!' would both be 'test_accuracy'; give one"
    ):
        keys_of("test", [tf.Accuracy(), tf.Accuracy(topK=3, name="accuracy!")])


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("точность", "test_точность"),
        ("精度", "test_精度"),
        ("R²", "test_r²"),
        ("Präzision", "test_präzision"),
        ("Pra\u0308zision", "test_präzision"),
        ("acc+", "test_acc_plus"),
        ("acc-", "test_acc_minus"),
        ("%", "test_percent_sign"),
    ],
)
def test_letters_of_any_script_and_a_last_sign_stay(name: str, key: str) -> None:
    assert key_of("test", name) == key


def test_rows_become_columns() -> None:
    history = History()
    history.add(1, {"train_loss": 0.5})
    history.add(2, {"train_loss": 0.4, "test_mse": 0.1})
    series = history.series()
    assert series["epoch"] == [1, 2]
    assert series["train_loss"] == [0.5, 0.4]
    assert math.isnan(series["test_mse"][0])
    assert series["test_mse"][1] == 0.1
