"""What the keys of `watch` do: turn to another job, show its output, filter the jobs, cancel one."""

from __future__ import annotations

from collections.abc import Callable

from fusionq.cli import pressed
from fusionq.cli.board_screen import View
from fusionq.client.board import Board
from fusionq.errors import StoreUnavailableError

Cancel = Callable[[str], None]


class Controls:
    """The state of the screen, changed by one key at a time."""

    def __init__(self, board: Board, cancel: Cancel) -> None:
        self._board = board
        self._cancel = cancel
        self._asked = ""  # the job whose cancelling waits for a yes
        self._is_typing = False
        self.view = View()
        self.is_over = False

    @property
    def is_typing(self) -> bool:
        """Whether letters are text, and not commands."""
        return self._is_typing or bool(self._asked)

    def press(self, key: str) -> None:
        """Do what the key stands for. Raises StoreUnavailableError."""
        if self._asked:
            self._answer(key)
        elif self._is_typing:
            self._type(key)
        elif key in pressed.STEPS:
            self._board.choose(pressed.STEPS[key])
        elif key == pressed.LEAVE:
            self.is_over = True
        elif key in (pressed.OUTPUT, pressed.ENTER):
            self._show(is_output=not self.view.is_output)
        elif key == pressed.HELP:
            self._show(is_help=not self.view.is_help)
        elif key == pressed.ESCAPE:
            self._show()
            self._board.filter_by("")
        elif key == pressed.FILTER:
            self._is_typing = True
            self._prompt(f"filter: {self._board.wanted}")
        elif key == pressed.CANCEL:
            self._ask()

    def _ask(self) -> None:
        record = self._board.chosen
        if record is None:
            return
        if record.is_finished:
            self._prompt(f"{record.name} ({record.id}) has ended")
            return
        self._asked = record.id
        self._prompt(f"cancel {record.name} ({record.id})? y/n")

    def _answer(self, key: str) -> None:
        job_id, self._asked = self._asked, ""
        self._prompt("")
        if key not in ("y", "Y"):
            return
        try:
            self._cancel(job_id)
        except StoreUnavailableError as error:
            self._prompt(f"{job_id} was not cancelled: {error}")

    def _type(self, key: str) -> None:
        wanted = self._board.wanted
        if key == pressed.ERASE:
            wanted = wanted[:-1]
        elif key == pressed.ESCAPE:
            wanted, self._is_typing = "", False
        elif key == pressed.ENTER:
            self._is_typing = False
        elif key in pressed.STEPS:
            self._board.choose(pressed.STEPS[key])
        else:
            wanted += key
        self._board.filter_by(wanted)
        self._prompt(f"filter: {wanted}" if self._is_typing or wanted else "")

    def _show(self, *, is_output: bool = False, is_help: bool = False) -> None:
        self.view = View(is_output=is_output, is_help=is_help)

    def _prompt(self, text: str) -> None:
        self.view = View(self.view.is_output, self.view.is_help, text)
