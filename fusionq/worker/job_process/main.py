"""The job process: from a fresh fork to a trained model. Nothing here is shared with other jobs.

It tells its supervisor what happens on its channel: the engine's events, and at last
`{"result": …}`, `{"stopped": true}` or `{"error": …}`.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from fusionq.engine.checking import check_first
from fusionq.engine.job import run_job
from fusionq.engine.stopping import StopToken
from fusionq.spec.events import Event
from fusionq.worker import lease_guard as leash
from fusionq.worker import protocol as wire
from fusionq.worker.job_process.check_process import answer_checks
from fusionq.worker.job_process.failures import explain, trace_of
from fusionq.worker.job_process.gpu_limit import keep_to_share
from fusionq.worker.job_process.process_exit import flush_output, leave
from fusionq.worker.job_process.ranks import lead
from fusionq.worker.job_process.setup import prepare, redirect_output
from fusionq.worker.processes.parent_death import die_with_parent


def run(channel: socket.socket) -> NoReturn:
    """Run the job whose orders come on `channel`, and leave the process."""
    code = wire.EXIT_FAILED
    orders: dict[str, Any] = {"code": "", "processes": 1, "nodes": 1}
    try:
        os.setsid()  # a session of its own: what the job leaves behind is found by it
        die_with_parent()
        receiver = wire.Receiver(channel)
        orders = {**orders, **_receive_orders(receiver)}
        if wire.TO_CHECK in orders:
            os._exit(answer_checks(orders, channel))
        redirect_output(Path(orders["output_log"]), orders["umask"])
        leash.obey(receiver, orders[leash.UNTIL])
        code = _run_job(orders, channel)
    except BaseException as error:
        _tell(error, orders["code"], channel)
    finally:
        if wire.leads_ranks(
            orders
        ):  # each of them has left as a process does; this one only looked after them
            flush_output()
            os._exit(code)
        leave(code)


def _run_job(orders: dict[str, Any], channel: socket.socket) -> int:
    stop = StopToken()
    signal.signal(signal.SIGTERM, lambda *_: stop.request())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def report(event: Event) -> None:
        wire.send(channel, event.to_json())

    job = prepare(orders)
    opened = check_first(job, lambda: stop.requested)  # before the GPU is touched
    if wire.leads_ranks(orders):
        return lead(job, opened, orders, channel, stop)
    keep_to_share(orders["gpu_memory"])
    result = run_job(job, report, stop, opened)
    if result is None:
        return wire.EXIT_STOPPED
    wire.send(channel, {"kind": "result", "result": result})
    return wire.EXIT_DONE


def _tell(error: BaseException, code: str, channel: socket.socket) -> None:
    """To the supervisor first: the log may be on the disk that is full."""
    with suppress(OSError):
        wire.send(channel, {"kind": "error", **explain(error, code)})
    with suppress(OSError):
        print(trace_of(error), end="", file=sys.stderr)


def _receive_orders(receiver: wire.Receiver) -> dict[str, Any]:
    while not receiver.is_closed:
        for message in receiver.receive(None):
            return message
    os._exit(wire.EXIT_FAILED)
