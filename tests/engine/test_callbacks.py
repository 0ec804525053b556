"""How callbacks are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import fusionq as tf
from fusionq.engine.callbacks.base import Callback, CallbackList
from fusionq.engine.stopping import StopToken
from fusionq.spec.events import EpochEnd
from tests.engine.jobs import loader, network, train


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
