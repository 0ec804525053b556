"""A board as one screen: the workers, the queue, and the chosen job with its curves and its last lines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from fusionq.cli import rows as jobs
from fusionq.cli import worker_tables as workers
from fusionq.cli.bars import can_draw
from fusionq.cli.curves import draw, lines_by_title
from fusionq.cli.folding import Folder
from fusionq.cli.tables import Cut, lines_of
from fusionq.cli.terminal_text import coloured_line
from fusionq.cli.words import COLOURS, duration, values_text
from fusionq.client.board import Snapshot
from fusionq.spec.record import JobRecord

LEAST_JOBS = 3  # rows
LEAST_LINES = 3  # of output
LEAST_CURVES = 6  # lines; where there is less, all of it goes to the output
MOST_CURVES = 16
LOW = 30  # lines; a screen as low as this leaves most of them to the chosen job
SIDE_BY_SIDE = 100  # columns from which two curves have room


HELP = (
    ("up, down (k, j)", "another job"),
    ("Enter, l", "the output of the job on the whole screen, and back"),
    ("c", "cancel the job, after a question"),
    ("/", "only jobs whose name, id or state holds what you type; Esc shows all"),
    ("?", "this help, and back"),
    ("q, Ctrl-C", "leave; the jobs go on"),
)


@dataclass(frozen=True)
class View:
    """What of the board is on the screen, and what stands at its foot."""

    is_output: bool = False
    is_help: bool = False
    prompt: str = ""


@dataclass(frozen=True)
class _Section:
    title: str
    body: RenderableType
    height: int  # lines, without the title

    def to_layout(self) -> Layout:
        return Layout(Group(_rule(self.title), self.body), size=1 + self.height)


def screen_of(board: Snapshot, width: int, height: int, view: View, note: str = "") -> Layout:
    """Returns the picture for a terminal of this size; `note` says what is wrong at the moment."""
    screen = Layout()
    foot = Layout(_cut(Text(view.prompt) if view.prompt else Text(_keys(), style="dim")), size=1)
    if view.is_help or view.is_output:
        body = _help() if view.is_help else _output(board, height - 2)
        screen.split_column(Layout(_head(board, note), size=1), Layout(body), foot)
        return screen
    room = height - 2
    of_workers = _workers(board, width, most=max(2, room // 4))
    room -= 1 + of_workers.height
    of_jobs = _jobs(board, width, most=max(LEAST_JOBS + 1, room // (2 if height > LOW else 4) - 1))
    room -= 1 + of_jobs.height
    screen.split_column(
        Layout(_head(board, note), size=1),
        of_workers.to_layout(),
        of_jobs.to_layout(),
        Layout(_chosen(board, width, room)),
        foot,
    )
    return screen


def _head(board: Snapshot, note: str) -> Text:
    counts = [
        f"[{colour}]{board.tally[word]} {word.replace('_', ' ')}[/]"
        for word, colour in COLOURS.items()
        if board.tally.get(word, 0) > 0
    ]
    told = f"[red]{escape(note)}[/]" if note else "  ".join(counts) or "no jobs yet"
    return _line(f"[bold]fusionq[/] {time.strftime('%H:%M:%S')}  {told}")


def _keys() -> str:
    arrows = "↑ ↓" if can_draw() else "k j"
    return f"{arrows} another job   Enter output   c cancel   / filter   ? help   q leave"


def _help() -> RenderableType:
    table = Table.grid(padding=(0, 3))
    for keys, deed in HELP:
        table.add_row(Text(keys, style="bold"), deed)
    return Group(_rule("keys"), table)


def _output(board: Snapshot, height: int) -> RenderableType:
    """The chosen job's last lines, as many as there is room for."""
    if board.chosen is None:
        return Group()
    title = f"[bold]{escape(board.chosen.name)}[/] {board.chosen.id}"
    return Group(_rule(title), *_last_lines(board.output, height - 1))


def _rule(title: str) -> Rule:
    characters = "─" if can_draw() else "-"
    return Rule(Text.from_markup(title), align="left", style="dim", characters=characters)


def _line(markup: str) -> Text:
    return _cut(Text.from_markup(markup))


def _cut(text: Text) -> Text:
    """At the end of the line, instead of going on in the next."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


# --- workers and jobs ----------------------------------------------------------------------------------


def _workers(board: Snapshot, width: int, most: int) -> _Section:
    """A line for each, and where there is room for all, one for each GPU too."""
    if not board.workers:
        return _Section("workers", _line("[yellow]none lives; start one: fusionq worker[/]"), 1)
    cells, gpus = workers.worker_cells(board.workers, time.time()), workers.gpu_cells(board.workers)
    surplus = len(cells) - (most - 1)
    shown = cells[: most - 1]
    lines = _table(workers.HEADERS, shown, workers.MAY_GO, width)
    more = f", {surplus} more: fusionq workers" if surplus > 0 else ""
    if gpus and len(shown) + len(gpus) + 2 <= most:
        lines += _table(workers.GPU_HEADERS, gpus, workers.GPU_MAY_GO, width)
    return _Section(f"workers{more}", Group(*lines), len(lines))


def _jobs(board: Snapshot, width: int, most: int) -> _Section:
    """As many as there is room for, the chosen one among them."""
    if not board.rows:
        return _Section(
            "jobs",
            _line("none match" if board.wanted else "none yet; submit one: fusionq submit job.yaml"),
            1,
        )
    ids = [row.id for row in board.rows]
    at = ids.index(board.chosen.id) if board.chosen and board.chosen.id in ids else 0
    first = max(0, min(at - (most - 1) // 2, len(ids) - (most - 1)))
    shown = board.rows[first : first + most - 1]
    lines = _table(jobs.HEADERS, jobs.cells_of(shown, board.reasons), jobs.MAY_GO, width)
    if board.chosen and board.chosen.id == shown[at - first].id:
        lines[1 + at - first] = _cut(Text(lines[1 + at - first].plain.ljust(width), style="reverse"))
    more = f"jobs, {first + 1} to {first + len(shown)}" if len(shown) < len(ids) else "jobs"
    return _Section(more, Group(*lines), len(lines))


def _table(
    headers: Sequence[str], cells: Sequence[Sequence[str]], may_go: Sequence[Cut], width: int
) -> list[Text]:
    return [_cut(Text.from_ansi(line)) for line in lines_of(headers, cells, may_go, width)]


# --- the chosen job ------------------------------------------------------------------------------------


def _chosen(board: Snapshot, width: int, height: int) -> RenderableType:
    record = board.chosen
    if record is None:
        return Group()
    facts = _facts(record, board.reasons)
    room = height - 1 - len(facts)
    height_of_curves = min(MOST_CURVES, room - LEAST_LINES)
    curves = _curves(board, width, height_of_curves)
    if not curves and len(board.curves) > 1:
        curves = [_line("[dim]no room for curves: make the terminal taller[/]")]
        height_of_curves = 1
    lines = _last_lines(board.output, room - height_of_curves if curves else room)
    title = f"[bold]{escape(record.name)}[/] {record.id}"
    return Group(_rule(title), *facts, *curves, *lines)


def _facts(record: JobRecord, reasons: dict[str, str]) -> list[Text]:
    """How it stands, what it measured last, and why it waits, ended or is odd."""
    word = record.state_word
    parts = [
        f"[{COLOURS[word]}]{word.replace('_', ' ')}[/]",
        f"on {escape(record.worker)}" if record.worker else "",
        escape(jobs.progress_text(record)),
        duration(record),
        f"{left} left" if (left := jobs.left_text(record)) else "",
        escape(values_text(record.result.get("values") or record.progress.get("values", {}))),
    ]
    note = " ".join(jobs.job_note(record, reasons).split())
    return [_line("  ".join(part for part in parts if part)), *([_line(escape(note))] if note else [])]


def _curves(board: Snapshot, width: int, height: int) -> list[RenderableType]:
    """The loss, and beside it what was measured first, where both have room. Of this height, or nothing."""
    record, measured = board.chosen, board.curves
    if record is None or height < LEAST_CURVES or len(measured) < 2:
        return []
    pictures = list(lines_by_title({record.id: measured}, measured.names).items())
    pictures = pictures[: 2 if width >= SIDE_BY_SIDE else 1]
    drawn = [
        Text.from_ansi(draw(title, lines, width // len(pictures), height, is_colourful=True))
        for title, lines in pictures
    ]
    side_by_side = Table.grid()
    side_by_side.add_row(*drawn)
    return [side_by_side] if drawn else []


def _last_lines(output: str, number: int) -> list[Text]:
    folder = Folder()
    lines = (folder.feed(output) + folder.end()).splitlines()
    return [_cut(Text.from_ansi(coloured_line(line))) for line in lines[-number:]] if number > 0 else []
