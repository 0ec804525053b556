"""The job process: from a fresh fork to a trained model. Nothing here is shared with other jobs.

It tells its supervisor what happens on its channel: the engine's events, and at last
`{"result": …}`, `{"stopped": true}` or `{"error": …}`.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import torch

from fusionq.engine.checking import check_first
from fusionq.engine.job import Job, run_job
from fusionq.engine.stopping import StopToken
from fusionq.errors import FusionqError
from fusionq.spec.events import Event
from fusionq.spec.failures import DISK_FULL, FAILURES, OOM
from fusionq.spec.load import parse_job
from fusionq.spec.paths import RunPaths
from workers import leash, wire
from workers.failure_class import failure_class
from workers.gpu_share import keep_to_share
from workers.marks import wear

_PR_SET_PDEATHSIG = 1


def run(channel: socket.socket) -> NoReturn:
    """Run the job whose orders come on `channel`, and leave the process."""
    code = wire.EXIT_FAILED
    orders: dict[str, Any] = {"code": ""}
    try:
        os.setsid()  # a session of its own: what the job leaves behind is found by it
        _die_with_parent()
        receiver = wire.Receiver(channel)
        orders = _receive_orders(receiver)
        _redirect_output(Path(orders["output_log"]))
        leash.obey(receiver, orders[leash.UNTIL])
        code = _run_job(orders, channel)
    except BaseException as error:
        _tell(error, orders["code"], channel)
    finally:
        _flush_output()
        os._exit(code)


def _run_job(orders: dict[str, Any], channel: socket.socket) -> int:
    stop = StopToken()
    signal.signal(signal.SIGTERM, lambda *_: stop.request())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def report(event: Event) -> None:
        wire.send(channel, event.to_json())

    job = _prepare(orders)
    opened = check_first(job)  # before the GPU is touched
    keep_to_share(orders["gpu_memory"])
    result = run_job(job, report, stop, opened)
    if result is None:
        return wire.EXIT_STOPPED
    wire.send(channel, {"kind": "result", "result": result})
    return wire.EXIT_DONE


def _tell(error: BaseException, code: str, channel: socket.socket) -> None:
    """To the supervisor first: the log may be on the disk that is full."""
    with suppress(OSError):
        wire.send(channel, {"kind": "error", **_explain(error, code)})
    with suppress(OSError):
        traceback.print_exception(error)


def _prepare(orders: dict[str, Any]) -> Job:
    """Make this process the job's own: its environment, its folder, its threads."""
    os.environ.update(orders["environ"])
    wear(orders["marks"])
    workdir = Path(orders["workdir"])
    if workdir.is_dir():
        os.chdir(workdir)
    else:
        os.chdir(orders["run_dir"])
        print(f"WARNING: {workdir} is not on this machine; working in {orders['run_dir']}", flush=True)
    _set_import_path(orders["code"], workdir)
    torch.set_num_threads(orders["threads"])
    data_root = orders["data_root"]
    return Job(
        spec=parse_job(orders["spec"]),
        paths=RunPaths(Path(orders["run_dir"])),
        attempt=orders["attempt"],
        fresh_after=orders["fresh_after"],
        workdir=Path.cwd(),
        data_root=Path(data_root) if data_root else None,
        provenance=orders["provenance"],
    )


def _set_import_path(code: str, workdir: Path) -> None:
    """The user's own modules: as they were submitted where they are stored, else as they are now.

    A worker that was started in the job's folder has that on its path. What is stored must not be mixed with
    what was written there since.
    """
    if code:
        live = os.path.realpath(workdir)
        sys.path[:] = [code, *(entry for entry in sys.path if os.path.realpath(entry) != live)]
    elif workdir.is_dir():
        sys.path.insert(0, str(workdir))


def _receive_orders(receiver: wire.Receiver) -> dict[str, Any]:
    while not receiver.is_closed:
        for message in receiver.receive(None):
            return message
    os._exit(wire.EXIT_FAILED)


def _die_with_parent() -> None:
    """Ask the kernel (Linux) to kill us with the fork server; the watch on the channel serves elsewhere."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(wire.EXIT_FAILED)


def _redirect_output(path: Path) -> None:
    """Everything that Python, C code and children print goes to the log, line by line."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    faulthandler.enable(file=2, all_threads=True)


def _flush_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass


def _explain(error: BaseException, code: str) -> dict[str, str]:
    """One line for the status, and the class that decides what follows."""
    failure = failure_class(error)
    if failure == OOM:
        return {"class": failure, "reason": f"out of memory: {_one_line(str(error)) or type(error).__name__}"}
    if isinstance(error, FusionqError):
        return {"class": failure, "reason": _one_line(str(error))}
    text = _one_line(str(error))
    kind = FAILURES[DISK_FULL].words if failure == DISK_FULL else type(error).__name__
    return {
        "class": failure,
        "reason": f"{kind}: {text}{_place(error, code)}" if text else f"{kind}{_place(error, code)}",
    }


def _one_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[0][:500] if lines else ""


def _place(error: BaseException, code: str) -> str:
    """The innermost line of the user's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    folders = tuple(folder + os.sep for folder in (code, os.getcwd()) if folder)
    own = [
        frame
        for frame in frames
        if frame.filename.startswith(folders) and "site-packages" not in frame.filename
    ]
    frame = (own or frames or [None])[-1]
    return f" ({Path(frame.filename).name}, line {frame.lineno}, in {frame.name})" if frame else ""
