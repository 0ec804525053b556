"""What the keys of `watch` do: turn to another job, show its output, filter the jobs, cancel one."""

from __future__ import annotations

from collections.abc import Callable

from fusionq.cli import pressed
from fusionq.cli.board_screen import View
from fusionq.client.board import Board
from fusionq.errors import FusionqError

Cancel = Callable[[str], None]


class Controls:
    """The state of the screen, changed by one key at a time."""

    def __init__(self, board: Board, cancel: Cancel) -> None:
        self._board = board
        self._cancel = cancel
        self._asked = ""  # the job whose cancelling waits for a yes
        self._message = ""  # up to the next key
        self._wanted = ""  # what the shown jobs are filtered by
        self._is_typing = False
        self._is_output = self._is_help = False
        self.is_over = False

    @property
    def view(self) -> View:
        """What is on the screen now."""
        typed = f"filter: {self._wanted}" if self._is_typing or self._wanted else ""
        return View(self._is_output, self._is_help, self._message or typed)

    @property
    def is_typing(self) -> bool:
        """Whether letters are text, and not commands."""
        return self._is_typing or bool(self._asked)

    def press(self, key: str) -> None:
        """Do what the key stands for. Raises StoreUnavailableError."""
        self._message = ""
        if self._asked:
            self._answer(key)
        elif self._is_typing:
            self._type(key)
        elif key in pressed.STEPS:
            self._board.choose(pressed.STEPS[key])
        elif key == pressed.LEAVE:
            self.is_over = True
        elif key in (pressed.OUTPUT, pressed.ENTER):
            self._show(is_output=not self._is_output)
        elif key == pressed.HELP:
            self._show(is_help=not self._is_help)
        elif key == pressed.ESCAPE:
            self._show()
            self._filter_by("")
        elif key == pressed.FILTER:
            self._is_typing = True
        elif key == pressed.CANCEL:
            self._ask()

    def _ask(self) -> None:
        record = self._board.snapshot().chosen
        if record is None:
            return
        if record.is_finished:
            self._message = f"{record.name} ({record.id}) has ended"
            return
        self._asked = record.id
        self._message = f"cancel {record.name} ({record.id})? y/n"

    def _answer(self, key: str) -> None:
        job_id, self._asked = self._asked, ""
        if key not in ("y", "Y"):
            return
        try:
            self._cancel(job_id)
        except FusionqError as error:
            self._message = f"{job_id} was not cancelled: {error}"

    def _type(self, key: str) -> None:
        if key in pressed.STEPS:
            self._board.choose(pressed.STEPS[key])
        elif key == pressed.ENTER:
            self._is_typing = False
        elif key == pressed.ESCAPE:
            self._is_typing = False
            self._filter_by("")
        else:
            self._filter_by(self._wanted[:-1] if key == pressed.ERASE else self._wanted + key)

    def _filter_by(self, wanted: str) -> None:
        self._wanted = wanted
        self._board.filter_by(wanted)

    def _show(self, *, is_output: bool = False, is_help: bool = False) -> None:
        self._is_output, self._is_help = is_output, is_help
