from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from fusionq.cli.completing import complete_job
from fusionq.cli.session import Session, verb
from fusionq.client.patience import RETRY_S, Patience
from fusionq.errors import FusionqError, StoreUnavailableError, UsageError
from fusionq.spec.stops import CANCELLED_WHILE_IT_WAITED

if TYPE_CHECKING:
    from fusionq.client.board import Board

FRAME_S = 1.0  # ages go on without an event
LEAST_FRAME_S = 0.05  # many events at once are one picture


@click.command()
@click.argument("job", required=False, shell_complete=complete_job)
@verb
def watch(session: Session, job: str | None) -> None:
    """Show everything as it goes on, on the whole screen: workers, GPUs, the queue, and one job.

    Of the JOB, or of the one that was started last, there are curves and the last lines of its output.
    The arrow keys select another one, Enter shows its output, c cancels it, / filters, q leaves; the jobs go
    on. ? lists the keys.

    \b
    fusionq watch
    fusionq watch last
    """
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise UsageError("watch needs a terminal", hint="in a pipe: fusionq status --json")
    if os.environ.get("TERM", "dumb") in ("dumb", "unknown"):
        raise UsageError(
            f"watch moves the cursor, which a terminal with TERM={os.environ.get('TERM', '')} cannot",
            hint="as plain text: fusionq status",
        )
    from fusionq.client.board import Board

    board = Board(session.store, session.store.jobs.find_job(job) if job else "")

    def cancel(job_id: str) -> None:
        session.store.jobs.cancel(job_id, CANCELLED_WHILE_IT_WAITED)
        session.ask_for_pass()

    try:
        _show(board, cancel)
    except KeyboardInterrupt:
        pass  # as good a way to leave as q


def _show(board: Board, cancel: Callable[[str], None]) -> None:
    """Until somebody leaves. Raises StoreUnavailableError after a minute without Redis."""
    from rich.console import Console
    from rich.live import Live

    from fusionq.cli.board_screen import screen_of
    from fusionq.cli.pressed import Keys
    from fusionq.cli.watch_controls import Controls

    console = Console(highlight=False)
    controls = Controls(board, cancel)
    # Not redirected: what rich puts in place of stdout does not say which characters it takes.
    live = Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False)
    with Keys() as keys, live:
        news = News(board, keys.wake)
        while True:
            screen = screen_of(board.snapshot(), *console.size, controls.view, news.trouble())
            live.update(screen, refresh=True)
            drawn_at = time.monotonic()
            key = keys.wait(FRAME_S, is_typing=controls.is_typing)
            if keys.is_interrupted:
                return
            if key:
                news.press(controls.press, key)
                if controls.is_over:
                    return
            else:
                time.sleep(max(0.0, drawn_at + LEAST_FRAME_S - time.monotonic()))


class News:
    """A thread that keeps a board up to date, and says so."""

    def __init__(self, board: Board, tell: Callable[[], None]) -> None:
        self._board = board
        self._tell = tell
        self._patience = Patience()
        self._error: FusionqError | None = None
        threading.Thread(target=self._follow, name="news", daemon=True).start()

    def trouble(self) -> str:
        """What is wrong with the connection. Raises StoreUnavailableError once it has been for a minute."""
        error = self._error
        if error is not None and self._patience.is_over:
            raise error
        return f"{error}; trying again" if error else ""

    def press(self, act: Callable[[str], None], key: str) -> None:
        """Do what a key stands for, as far as that goes without Redis."""
        try:
            act(key)
        except StoreUnavailableError as error:
            self._error = error

    def _follow(self) -> None:
        while True:
            try:
                self._board.follow()
                self._patience.note_word()
                self._error = None
            except FusionqError as error:
                self._error = error
                time.sleep(RETRY_S)
            self._tell()
