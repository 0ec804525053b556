"""Runs a function in a forked child, so that nothing it leaves behind in memory is left in this process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NoReturn

import torch

_DESCRIPTORS = Path("/proc/self/fd")  # Linux
_LOOK_S = 0.2
END = "\n"
_is_child = False


class NoAnswerError(Exception):
    """The child ended, or was ended, without an answer; the message says why."""


def run_in_child(
    work: Callable[[], Any], timeout_s: float, is_cancelled: Callable[[], bool] = lambda: False
) -> Any:
    """Returns what `work` returns, as JSON carries it.

    The child has this process's memory as it was, and no hold on it: what it prints is dropped, files that
    are open keep their position here, connections stay unused. Raises NoAnswerError after the time limit,
    when it is cancelled, and where the child dies.
    """
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as output:
        pid = os.fork()
        if pid == 0:
            _run(work, writing, output)
        os.close(writing)
        try:
            answer = _read_line(reading, time.monotonic() + timeout_s, is_cancelled)
        finally:
            os.close(reading)
            _end(pid)
        if answer is None:
            raise NoAnswerError(f"it took longer than {timeout_s:.3g} s")
        try:
            return json.loads(answer)
        except ValueError:
            raise NoAnswerError(f"it ended without an answer{_last_line(output)}") from None


def hide_gpus() -> None:
    """Spare this process the start of the GPU's driver; in a child alone, which will never need one."""
    if _is_child and not torch.cuda.is_initialized():
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def _run(work: Callable[[], Any], answer: int, output: IO[bytes]) -> NoReturn:
    global _is_child
    _is_child = True
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        _let_go_of_descriptors(answer, output.fileno())
        torch.set_num_threads(1)  # the threads of a parallel operation before are not here
        text = json.dumps(work())
        with os.fdopen(answer, "w", encoding="utf-8") as handle:
            handle.write(text + END)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
    finally:
        os._exit(0)


def _let_go_of_descriptors(answer: int, output: int) -> None:
    """Print to `output`, read nothing, and share neither positions in files nor connections with anybody."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = sys.stderr = os.fdopen(2, "w", buffering=1, errors="replace", closefd=False)
    if not _DESCRIPTORS.is_dir():
        return
    for descriptor in map(int, os.listdir(_DESCRIPTORS)):
        if descriptor > 2 and descriptor not in (answer, output, null):
            with contextlib.suppress(OSError):
                _make_private(descriptor, null)


def _make_private(descriptor: int, null: int) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode):
        os.dup2(null, descriptor)
    elif stat.S_ISREG(mode):
        access = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE
        own = os.open(_DESCRIPTORS / str(descriptor), access)
        os.lseek(own, os.lseek(descriptor, 0, os.SEEK_CUR), os.SEEK_SET)
        os.dup2(own, descriptor)
        os.close(own)


def _read_line(reading: int, deadline: float, is_cancelled: Callable[[], bool]) -> bytes | None:
    """All that is written, to the end of the answer or of the child; None after the deadline."""
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    found = b""
    while time.monotonic() < deadline:
        if is_cancelled():
            raise NoAnswerError("it was cancelled")
        if poll.poll(_LOOK_S * 1000):
            piece = os.read(reading, 65_536)
            found += piece
            # Not only at the end of the file: what a user's code has forked may hold it open.
            if not piece or piece.endswith(END.encode()):
                return found
    return None


def _end(pid: int) -> None:
    """Kill the child, where a thread of the user's keeps it; nobody waits until the kernel has cleared it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()


def _last_line(output: IO[bytes]) -> str:
    output.seek(0)
    lines = output.read().decode(errors="replace").strip().splitlines()
    return f" ({lines[-1][:300]})" if lines else ""
