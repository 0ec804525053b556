"""Draws what `fusionq watch` shows of the queue at this moment, with this job chosen:

python tools/make_picture.py docs/watch.svg mnist-mlp
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from rich.console import Console

from fusionq.cli.board_screen import View, screen_of
from fusionq.client.board import Board
from fusionq.spec.settings import Settings
from fusionq.store.store import Store

WIDTH, HEIGHT = 104, 36


def main(path: str, job: str) -> None:
    store = Store.open(Settings.load())
    board = Board(store, store.jobs.find_job(job))
    console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO(), force_terminal=True)
    console.print(screen_of(board.snapshot(), WIDTH, HEIGHT, View()))
    Path(path).write_text(console.export_svg(title="fusionq watch"), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
