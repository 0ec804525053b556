"""Records of a run: the epoch log, the metric points, the history."""

from __future__ import annotations

import json
import time
from pathlib import Path

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.callbacks.paced_file import PacedFile
from fusionq.engine.files import finite, write_json, write_whole
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd, Event, Progress
from fusionq.spec.metric_keys import TRAIN, measured
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
        _write_lines(self._path, _lines_of(self._path)[: training.epoch])

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        _append(self._path, epoch_line(event))


class MetricPoints(Callback):
    """`metrics.jsonl`: every point as one JSON line. A resumed run drops the points that it repeats."""

    only_first = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_start(self, training: Training) -> None:
        kept = [line for line in _lines_of(self._path) if _is_before(line, training)]
        _write_lines(self._path, kept)

    def on_progress(self, training: Training, event: Progress) -> None:
        self._add(event)

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        self._add(event)

    def _add(self, event: Event) -> None:
        _append(self._path, json.dumps(finite({**event.to_json(), "time": time.time()})))


def _lines_of(path: Path) -> list[str]:
    """Each with its end; what a crash left may be no text."""
    if not path.exists():
        return []
    return path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)


def _write_lines(path: Path, lines: list[str]) -> None:
    write_whole(path, lambda handle: handle.write("".join(lines).encode()))


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8", errors="backslashreplace") as handle:
        handle.write(f"{line}\n")


def _is_before(line: str, training: Training) -> bool:
    try:
        point = json.loads(line)
    except ValueError:
        return False  # cut off by a crash
    if point["kind"] == EpochEnd.kind or point["epoch"] <= training.epoch:
        return point["epoch"] <= training.epoch
    done = {TRAIN: training.batch, **{test.phase: test.batch for test in training.tests}}
    return point["epoch"] == training.epoch + 1 and point["batch"] <= done.get(point["phase"], 0)


class HistoryFile(PacedFile):
    """`history.json`: one row per epoch."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def write(self, training: Training) -> None:
        write_json(self._path, training.history.rows)
