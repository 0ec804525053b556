"""What `run` shows of a job fits the terminal."""

from __future__ import annotations

import io
import sys

import pytest

from fusionq.cli.epoch_lines import fit_epoch_line
from fusionq.cli.live import Live, progress_line
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Status

LINE = (
    "epoch  3/20  train_loss 0.4017  train_accuracy 0.8745  test_top1 0.9373  test_top2 0.9778"
    "    1.4s   46,701 samples/s  best"
)


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_an_epoch_line_is_never_broken(width: int):
    fitted = fit_epoch_line(LINE, width)
    assert len(fitted) <= width
    assert fitted.startswith("epoch  3/20  train")
    assert "0.4017" in fitted


def test_what_goes_first_is_the_rate_then_the_shared_names():
    assert fit_epoch_line(LINE, 200) == LINE
    assert fit_epoch_line(LINE, 100) == (
        "epoch  3/20  train_loss 0.4017  train_accuracy 0.8745  test_top1 0.9373  test_top2 0.9778  1.4s *"
    )
    assert fit_epoch_line(LINE, 90) == (
        "epoch  3/20  train: loss 0.4017 accuracy 0.8745  test: top1 0.9373 top2 0.9778  1.4s *"
    )


def test_the_metrics_that_tell_how_good_it_is_stay_longest():
    line = "epoch  1/30  train_loss 1.83  train_accuracy 0.58  val_loss 1.25  val_accuracy 0.57  1.7s  best"
    assert fit_epoch_line(line, 75) == "epoch  1/30  train: loss 1.83  val: loss 1.25 accuracy 0.57  1.7s *"
    assert fit_epoch_line(line, 60) == "epoch  1/30  train: loss 1.83  val: accuracy 0.57  1.7s *"


def test_other_lines_stay_as_they_are():
    assert fit_epoch_line("x" * 300, 80) == "x" * 300
    assert fit_epoch_line("epoch of great change " * 10, 80) == "epoch of great change " * 10


POINT = {
    "kind": "progress",
    "phase": "train",
    "epoch": 3,
    "num_epochs": 20,
    "batch": 411,
    "num_batches": 938,
    "samples_per_s": 43_529.0,
    "eta_s": 25.0,
    "values": {"train_loss": 0.1434, "train_accuracy": 0.9551},
}


@pytest.mark.parametrize("width", [80, 100, 200])
def test_progress_is_one_line_that_names_the_time_left(width: int):
    line = progress_line(POINT, width)
    assert len(line) <= width
    assert line.startswith("epoch 3/20")
    assert "train_loss 0.1434" in line
    assert line.endswith("25s left")
    assert ("samples/s" in line) == (width > 80)


def test_batches_of_an_unknown_number_are_counted_alone():
    assert "  train 411  " in progress_line({**POINT, "num_batches": 0}, 200)


def test_a_training_that_has_only_begun_has_a_line_too():
    started = {"kind": "started", "epoch": 0, "num_epochs": 20, "batch": 0, "num_batches": 9}
    assert progress_line(started, 80).startswith("epoch 1/20  ")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_job_that_has_started_does_not_wait_to_start(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Live() as live:
        live.on_reason("no worker is alive")
        live.on_record(JobRecord(id="aaa", name="tiny", status=Status.RUNNING, worker="box"))
        shown = sys.stderr.getvalue()
    assert "started on box" in shown
    assert "waiting to start" not in shown.rpartition("started on box")[2].splitlines()[-1]


@pytest.mark.parametrize(("is_out", "is_err"), [(True, True), (True, False), (False, True), (False, False)])
def test_of_a_progress_bar_that_a_job_prints_its_end_is_shown(monkeypatch, is_out: bool, is_err: bool):
    out, err = (Terminal() if is_terminal else io.StringIO() for is_terminal in (is_out, is_err))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with Live() as live:
        for text in ("\r  0%|  |\r 50", "%|# |\r100%|##|\n", "no line end"):
            live.on_text(text)
    assert r"\x0d" not in out.getvalue() + err.getvalue()
    printed = err.getvalue() if is_out and is_err else out.getvalue()
    assert "100%|##|\n" in printed
    assert "50%" not in printed
    assert "no line end" in printed
    assert is_out or out.getvalue() == "100%|##|\nno line end"


def test_the_bar_is_taken_away_where_the_reader_of_the_output_is_gone(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with pytest.raises(BrokenPipeError), Live() as live:
        live.on_text("no line end")
    assert "\x1b[?25h" in sys.stderr.getvalue()  # the cursor is shown again
