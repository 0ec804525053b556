"""The history, and which epoch is the best."""

from __future__ import annotations

import math

import pytest

import fusionq as tf
from fusionq.engine.history import Best, History, Measured, choose_best, keys_of
from fusionq.errors import MetricError
from fusionq.spec.metric_keys import key_of, measured

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
        ("max", [math.inf, 0.5, 0.7], 3),
        ("min", [-math.inf, math.inf], 0),
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


def test_the_first_metric_on_validation_data_decides_by_default_then_its_loss() -> None:
    accuracy, mse = tf.Accuracy(), tf.MSE()
    train, plain = Measured("train", {"train_accuracy": accuracy}), Measured("train", {})
    test = Measured("test", {"test_accuracy": accuracy})

    def choice(*measured: Measured, monitor: str | None = None, mode: str | None = None) -> tuple[str, str]:
        best = choose_best(monitor, mode, measured)
        return best.monitor, best.mode

    assert choice(Measured("val", {"val_mse": mse}), test, train) == ("val_mse", "min")
    assert choice(Measured("val", {}), test, train) == ("val_loss", "min")
    assert choice(Measured("val", {}, has_loss=False), test, train) == ("test_accuracy", "max")
    assert choice(Measured("test", {}), train) == ("test_loss", "min")
    assert choice(train) == ("train_accuracy", "max")
    assert choice(plain) == ("train_loss", "min")
    assert choice(train, monitor="train_loss") == ("train_loss", "min")
    assert choice(test, train, monitor="test_loss") == ("test_loss", "min")
    assert choice(train, monitor="train_accuracy", mode="min") == ("train_accuracy", "min")


def test_an_unknown_monitor_is_refused_with_what_there_is() -> None:
    test, train = (Measured(phase, {f"{phase}_accuracy": tf.Accuracy()}) for phase in ("test", "train"))
    with pytest.raises(
        MetricError,
        match=r"no value 'test_top1'; this job has test_accuracy, test_loss, train_accuracy, train_loss$",
    ):
        choose_best("test_top1", None, [test, train])


def test_a_loss_that_the_trainer_does_not_measure_is_refused_with_how_it_would() -> None:
    test = Measured("test", {}, has_loss=False)
    with pytest.raises(MetricError, match=r"no value 'test_loss'.*; __eval_function__ measures it where"):
        choose_best("test_loss", None, [test, Measured("train", {})])


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


def test_a_metric_with_the_name_of_the_loss_is_refused() -> None:
    with pytest.raises(MetricError, match="'train_loss' is the loss itself, so no metric can be called"):
        keys_of("train", [tf.Accuracy(name="Loss ")])


def test_the_learning_rate_says_nothing_of_how_good_an_epoch_is() -> None:
    values = {"epoch": 3, "train_loss": 0.5, "lr": 0.1, "lr/0": 0.1, "test_lr": 0.2}
    assert measured(values) == {"train_loss": 0.5, "test_lr": 0.2}


def test_rows_become_columns() -> None:
    history = History()
    history.add(1, {"train_loss": 0.5})
    history.add(2, {"train_loss": 0.4, "test_mse": 0.1})
    series = history.series()
    assert series["epoch"] == [1, 2]
    assert series["train_loss"] == [0.5, 0.4]
    assert math.isnan(series["test_mse"][0])
    assert series["test_mse"][1] == 0.1
