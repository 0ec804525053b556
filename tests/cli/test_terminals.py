"""Terminals that know less: no colours, no Unicode, another encoding of files."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from fusionq.spec.states import Outcome
from fusionq.store import keys
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, serving, started
from tests.cli.test_status import PROGRESS

COLOUR = "\x1b[3"


def on_a_terminal(*arguments: str, code: int = 0, **environ: str) -> str:
    """What a call that ends with this code writes to a terminal."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **environ}
    command = [sys.executable, "-m", "fusionq", *arguments]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        pieces = []
        while True:
            try:
                piece = os.read(ours, 65_536)
            except OSError:  # Linux's way to say that nobody writes any more
                break
            if not piece:
                break
            pieces.append(piece)
    os.close(ours)
    assert process.returncode == code
    return b"".join(pieces).decode(errors="replace")


@pytest.mark.parametrize("arguments", [("status",), ("status", "aaa"), ("metrics", "aaa", "--plot")])
def test_colours_go_where_nobody_wants_them(cli: Cli, store, arguments: tuple[str, ...]):
    started(store, "aaa")
    point = {"kind": "epoch", "epoch": 1, "num_epochs": 2, "values": {"train_loss": 0.5}, "duration_s": 1.0}
    store.streams.append_points("aaa", [point, {**point, "epoch": 2, "values": {"train_loss": 0.4}}])
    assert COLOUR in on_a_terminal(*arguments)
    assert COLOUR not in on_a_terminal(*arguments, NO_COLOR="1")


def test_a_terminal_without_unicode_gets_other_characters(cli: Cli, store, tmp_path: Path):
    started(store, "aaa")
    store.jobs.note_progress("aaa", PROGRESS)
    finished(store, "bbb", Outcome.FAILED, reason="ungültig … " * 20)
    gpus = [{"index": index, "name": "H100", "memory_bytes": 80 << 30} for index in range(2)]
    serving(store)
    store.redis.hset(keys.worker("w"), "gpus", json.dumps(gpus))
    point = {"kind": "epoch", "epoch": 1, "num_epochs": 2, "values": {"train_loss": 0.5}, "duration_s": 1.0}
    store.streams.append_points("aaa", [point, {**point, "epoch": 2, "values": {"train_loss": 0.4}}])
    poor = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    assert "[##----] 38 %" in on_a_terminal("status", **poor)
    assert "[##----] 38 %" in on_a_terminal("status", "aaa", **poor)
    assert "2 x H100" in on_a_terminal("workers", **poor)
    drawn = on_a_terminal("metrics", "aaa", "--plot", **poor)
    assert "****" in drawn
    assert "-----+" in drawn
    assert "?" not in drawn
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.yaml").write_text(f"defaults: [{other}.yaml]\n")
    told = on_a_terminal("validate", str(tmp_path / "a.yaml"), code=2, **poor)
    assert "b.yaml -> " in told
    assert "?" not in told
