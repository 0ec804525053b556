"""Records of a run: the epoch log, the metric points, the history."""

from __future__ import annotations

import json
import time
from pathlib import Path

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.callbacks.pace import Pace
from fusionq.engine.files import finite, write_json, write_whole
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd, Event, Progress
from fusionq.spec.metric_keys import measured
from fusionq.spec.units import format_duration


def epoch_line(event: EpochEnd) -> str:
    """An epoch in one line for people."""
    values = "  ".join(f"{key} {_short(value)}" for key, value in measured(event.values).items())
    width = len(str(event.num_epochs))
    star = "  best" if event.is_best else ""
    return (
        f"epoch {event.epoch:>{width}}/{event.num_epochs}  {values}  "
        f"{format_duration(event.duration_s):>6}  {event.samples_per_s:>7,.0f} samples/s{star}"
    )


def _short(value: float) -> str:
    return f"{value:.4f}" if 0.001 <= abs(value) < 10_000 or value == 0 else f"{value:.3g}"


class EpochLog(Callback):
    """A text file with one line per epoch. A resumed run drops the lines of epochs that it repeats."""

    only_first = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_start(self, training: Training) -> None:
        lines = (
            self._path.read_text(encoding="utf-8").splitlines(keepends=True) if self._path.exists() else []
        )
        kept = "".join(lines[: training.epoch])
        write_whole(self._path, lambda handle: handle.write(kept.encode()))

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        with self._path.open("a") as handle:
            handle.write(epoch_line(event) + "\n")


class MetricPoints(Callback):
    """`metrics.jsonl`: every point as one JSON line. A resumed run drops the points that it repeats."""

    only_first = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_start(self, training: Training) -> None:
        lines = (
            self._path.read_text(encoding="utf-8").splitlines(keepends=True) if self._path.exists() else []
        )
        kept = "".join(line for line in lines if _is_before(line, training))
        write_whole(self._path, lambda handle: handle.write(kept.encode()))

    def on_progress(self, training: Training, event: Progress) -> None:
        self._append(event)

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        self._append(event)

    def _append(self, event: Event) -> None:
        with self._path.open("a") as handle:
            handle.write(json.dumps(finite({**event.to_json(), "time": time.time()})) + "\n")


def _is_before(line: str, training: Training) -> bool:
    try:
        point = json.loads(line)
    except ValueError:
        return False  # cut off by a crash
    if point["kind"] == EpochEnd.kind or point["epoch"] <= training.epoch:
        return point["epoch"] <= training.epoch
    return (
        point["epoch"] == training.epoch + 1
        and point["phase"] == "train"
        and point["batch"] <= training.batch
    )


class HistoryFile(Callback):
    """`history.json`: one row per epoch, rewritten whole, at most once a second, and at the end."""

    only_first = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pace = Pace()
        self._is_behind = False

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        self._is_behind = True
        if self._pace.is_due():
            self._write(training)

    def on_leave(self, training: Training) -> None:
        if self._is_behind:
            self._write(training)

    def _write(self, training: Training) -> None:
        began = time.monotonic()
        write_json(self._path, training.history.rows)
        self._is_behind = False
        self._pace.note(began)
