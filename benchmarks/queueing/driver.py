"""A client in a process of its own that submits trainings when told, and says when.

Every contestant has a module `by_…`, which calls `serve` in its client's process: the clocks are read there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

RESULT = "RESULT "
POLL_S = 0.002


@dataclass(frozen=True)
class Told:
    """Moments by the clock that all processes of a machine share; `first_steps` where each began to train."""

    began: float
    submitted: float
    ended: float
    first_steps: tuple[float, ...]


class Driver:
    """The client as the benchmark sees it."""

    def __init__(self, command: Sequence[object], workdir: Path, environ: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [str(part) for part in command],
            cwd=workdir,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if not os.environ.get("BENCHMARK_DEBUG") else None,
            text=True,
        )
        self._stamps = workdir.parent / "stamps"
        self._number = 0
        self._read()  # it is ready

    def train(self, number: int) -> Told:
        """Submit so many trainings, and return when all are over."""
        stamps = [self._new_stamp() for _ in range(number)]
        self._process.stdin.write(json.dumps([str(stamp) for stamp in stamps]) + "\n")
        self._process.stdin.flush()
        read = self._read()
        return Told(**read, first_steps=tuple(first_step(stamp) for stamp in stamps))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()

    def _new_stamp(self) -> Path:
        self._number += 1
        return self._stamps / f"{self._process.pid}-{self._number}"

    def _read(self) -> dict:
        for line in self._process.stdout:
            if line.startswith(RESULT):
                return json.loads(line.removeprefix(RESULT))
        errors = self._process.stderr.read().strip().splitlines() if self._process.stderr else []
        raise RuntimeError((errors or ["its client ended"])[-1])


def first_step(stamp: Path) -> float:
    return float(stamp.read_text().split()[0])


def serve(submit: Callable[[list[str]], Callable[[], None] | None], timeout_s: float = 180.0) -> None:
    """The client's side. `submit` may return how to wait for the end; else the models are awaited."""
    _tell({})
    for line in sys.stdin:
        stamps = json.loads(line)
        began = time.monotonic()
        await_end = submit(stamps)
        submitted = time.monotonic()
        if await_end is None:
            await_models(stamps, timeout_s)
        else:
            await_end()
        _tell({"began": began, "submitted": submitted, "ended": time.monotonic()})


def await_models(stamps: Sequence[str], timeout_s: float = 180.0) -> None:
    """The model of a training by hand is there when it is over."""
    deadline = time.monotonic() + timeout_s
    for stamp in stamps:
        while not os.path.exists(f"{stamp}.pth"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"a training is not over after {timeout_s:g} s")
            time.sleep(POLL_S)


def _tell(told: dict[str, float]) -> None:
    print(RESULT + json.dumps(told), flush=True)
