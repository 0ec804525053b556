"""A running job on the screen: its output, and beneath it one line that says how far it is."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from fusionq.cli.bars import bar
from fusionq.cli.epoch_lines import fit_epoch_line
from fusionq.cli.folding import Folder
from fusionq.cli.terminal_text import coloured_line
from fusionq.cli.words import say, value_texts
from fusionq.client.follow import Watcher
from fusionq.errors import StoreUnavailableError
from fusionq.spec.progress import epoch_of, share_done
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Status
from fusionq.spec.units import format_duration

BAR_WIDTH = 20
WIDE = 120  # columns from which the bar has all of it


class Live(Watcher):
    """On a terminal a line with epoch, batch, values, speed and time left; in a pipe the output alone."""

    def __init__(self) -> None:
        self._reason = ""
        self._folder = Folder()
        self._screen: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live as Screen

            console = Console(stderr=True)
            # Stdout stays what it is: it may be a file.
            self._screen = Screen(console=console, transient=True, auto_refresh=False, redirect_stdout=False)

    def __enter__(self) -> Live:
        if self._screen is not None:
            self._screen.start()
            self._draw("waiting to start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            if rest := self._folder.end():
                self._print(rest + ("\n" if self._is_above_bar else ""))
        finally:
            if self._screen is not None:
                self._screen.stop()

    def on_text(self, text: str) -> None:
        # Whole lines only: the bar is drawn again beneath whatever is printed.
        if lines := self._folder.feed(text):
            self._print(lines)

    def on_missed(self, record: JobRecord, start: int, end: int) -> None:
        self.on_text(
            f"\n[{end - start:,} bytes of output are left out here; whole: fusionq logs {record.id}]\n"
        )

    def on_point(self, point: dict[str, Any]) -> None:
        if self._screen is not None and point.get("num_epochs"):
            self._draw(progress_line(point, self._screen.console.width))

    def on_record(self, record: JobRecord) -> None:
        if record.status is Status.RUNNING:
            attempt = f", attempt {record.attempt}" if record.attempt > 1 else ""
            self._note(f"started on {record.worker}{attempt}")
            if self._screen is not None:
                self._draw("reading its data and building its model")
        elif record.status is Status.QUEUED and record.reason:
            self._note(f"back in the queue: {record.reason}")

    def on_reason(self, reason: str) -> None:
        """Why the job has not started yet; said once in a pipe."""
        if reason and self._screen is not None:
            self._draw(f"waiting to start: {reason}")
        elif reason and reason != self._reason:
            self._note(f"waiting to start: {reason}")
        self._reason = reason

    def on_outage(self, error: StoreUnavailableError) -> None:
        self._note(f"{error}; trying again")

    @property
    def _is_above_bar(self) -> bool:
        """Whether output goes to the terminal that shows the bar."""
        return self._screen is not None and sys.stdout.isatty()

    def _draw(self, line: str) -> None:
        from rich.text import Text

        self._screen.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)

    def _note(self, text: str) -> None:
        if self._screen is None:
            say(f"         {text}")
        else:
            self._screen.console.print(f"         {text}", highlight=False, markup=False)

    def _print(self, text: str) -> None:
        """Prints output of the job; on a terminal its epoch lines fit, and nothing in it moves the cursor."""
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns
            text = "\n".join(coloured_line(fit_epoch_line(line, width)) for line in text.split("\n"))
        if self._is_above_bar:
            self._screen.console.print(text, end="", highlight=False, markup=False, soft_wrap=True)
        else:
            sys.stdout.write(text)
            sys.stdout.flush()


def progress_line(point: Mapping[str, Any], width: int) -> str:
    """Returns where a training stands, in one line of at most `width` characters.

    What matters least is left out first: the batch, the speed, all values but the first.
    """
    share = share_done(point)
    values = value_texts(point.get("values") or {})
    is_within = point["kind"] == "progress"
    parts = {
        "epoch": f"epoch {epoch_of(point)}/{point['num_epochs']}",
        "batch": _batch_text(point) if is_within else "",
        "bar": f"{bar(share, BAR_WIDTH if width >= WIDE else BAR_WIDTH // 2)} {share * 100:.0f} %",
        "values": "  ".join(values),
        "speed": f"{point['samples_per_s']:,.0f} samples/s" if point.get("samples_per_s") else "",
        "left": f"{format_duration(point['eta_s'])} left" if point.get("eta_s") else "",
    }
    shorter = {"batch": "", "speed": "", "values": values[0] if values else ""}
    for key, short in shorter.items():
        if len(_joined(parts)) <= width:
            break
        parts[key] = short
    return _joined(parts)


def _batch_text(point: Mapping[str, Any]) -> str:
    """`train 3/938`, and `train 3` where nobody knows how many there will be."""
    most = f"/{point['num_batches']}" if point["num_batches"] else ""
    return f"{point['phase']} {point['batch']}{most}"


def _joined(parts: Mapping[str, str]) -> str:
    return "  ".join(part for part in parts.values() if part)
