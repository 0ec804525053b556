"""A running job on the screen: its output, and beneath it one bar that lives."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from fusionq.cli.folding import folder_for_stdout
from fusionq.cli.terminal_text import TerminalText, coloured_line
from fusionq.cli.words import say, values_text
from fusionq.client.follow import Watcher
from fusionq.errors import StoreUnavailableError
from fusionq.spec.progress import share_done
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Status

WIDE = 120  # columns that the bar needs to say everything


class Live(Watcher):
    """On a terminal a bar with epoch, batch, values, speed and time left; in a pipe the output alone."""

    def __init__(self) -> None:
        self._rest = ""
        self._folder = folder_for_stdout()
        self._text = TerminalText()
        self._progress: Any = None
        self._task: Any = None
        if sys.stderr.isatty():
            self._progress = _make_progress()

    def __enter__(self) -> Live:
        if self._progress is not None:
            self._task = self._progress.add_task("", total=None, where="waiting to start", words="", speed="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._folder is not None:
            sys.stdout.write(self._folder.end())
            sys.stdout.flush()
        if self._rest:
            self._print(coloured_line(self._rest) + "\n")
        if self._progress is not None:
            self._progress.stop()

    def on_text(self, text: str) -> None:
        if self._folder is not None:
            sys.stdout.write(self._folder.feed(text))
            sys.stdout.flush()
            return
        if self._progress is None:
            sys.stdout.write(self._text.feed(text))
            sys.stdout.flush()
            return
        # Whole lines only: the bar is drawn again beneath whatever is printed.
        *lines, self._rest = (self._rest + text).split("\n")
        if lines:
            self._print("\n".join(map(coloured_line, lines)) + "\n")

    def on_missed(self, record: JobRecord, start: int, end: int) -> None:
        self.on_text(
            f"\n[{end - start:,} bytes of output are left out here; whole: fusionq logs {record.id}]\n"
        )

    def on_point(self, point: dict[str, Any]) -> None:
        if self._progress is None:
            return
        kind = point["kind"]
        epoch = point["epoch"] + (1 if kind == "started" else 0)
        where = f"epoch {min(epoch, point['num_epochs'])}/{point['num_epochs']}"
        is_wide = self._progress.console.width >= WIDE
        if kind == "progress" and is_wide:
            where += f"  {point['phase']} {point['batch']}/{point['num_batches']}"
        update: dict[str, Any] = {"where": where, "total": 1.0, "completed": share_done(point)}
        if point.get("values"):
            values = point["values"] if is_wide else _first_and_last(point["values"])
            speed = f"{point['samples_per_s']:,.0f} samples/s" if is_wide else ""
            update |= {"words": values_text(values), "speed": speed}
        self._progress.update(self._task, **update)

    def on_record(self, record: JobRecord) -> None:
        if record.status is Status.RUNNING:
            attempt = f", attempt {record.attempt}" if record.attempt > 1 else ""
            self._note(f"started on {record.worker}{attempt}")
        elif record.status is Status.QUEUED and record.reason:
            self._note(f"back in the queue: {record.reason}")

    def on_outage(self, error: StoreUnavailableError) -> None:
        self._note(f"{error}; trying again")

    def _note(self, text: str) -> None:
        if self._progress is None:
            say(f"         {text}")
        else:
            self._progress.console.print(f"         {text}", highlight=False, markup=False)

    def _print(self, text: str) -> None:
        self._progress.console.print(text, end="", highlight=False, markup=False, soft_wrap=True)


def _first_and_last(values: dict[str, float]) -> dict[str, float]:
    """The loss and one metric: what a narrow terminal has room for."""
    keys = list(values)
    return {key: values[key] for key in dict.fromkeys((keys[0], keys[-1]))}


def _make_progress() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.fields[where]}"),
        BarColumn(bar_width=20),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[words]}"),
        TextColumn("{task.fields[speed]}", style="dim"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
