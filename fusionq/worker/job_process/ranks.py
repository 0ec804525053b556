"""A job in several processes: one per GPU, or several on the CPU.

The job process leads: it forks the ranks, with what it has imported and the data that it has opened, passes
on that they are to stop, and ends them all when one is dead. Rank 0 speaks to the supervisor on the same
channel. The ranks find each other at a socket that the leader has opened for them: on loopback, or where the
job trains on several workers (nodes), each of which has such a leader, at the address of the first.

They are started by torch's own `start_processes`, the layer under torchrun; torchrun itself would start a
cold Python for each of them.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing import start_processes

from fusionq.engine.job import Job, run_job
from fusionq.engine.ranks import Group
from fusionq.engine.stopping import StopToken
from fusionq.spec.events import Event
from fusionq.worker import protocol as wire
from fusionq.worker.hardware.network import LOOPBACK, interface_of
from fusionq.worker.job_process.failures import explain, trace_of
from fusionq.worker.job_process.gpu_limit import keep_to_share
from fusionq.worker.job_process.process_exit import flush_files, leave
from fusionq.worker.job_process.setup import redirect_output
from fusionq.worker.processes.parent_death import die_with_parent

MOST_OF_A_TRACE = 20_000  # characters; what does not fit into the socket would block
ENDED_WELL = (wire.EXIT_DONE, wire.EXIT_STOPPED)
WORDS_S = 1.0  # how long to wait for what a rank said before it ended


@dataclass(frozen=True)
class _Work:
    """What every rank needs to know."""

    job: Job
    opened: Mapping[str, Any]
    orders: Mapping[str, Any]
    channel: socket.socket
    address: str
    port: int
    meeting: socket.socket | None  # where this process has opened it
    last_words: socket.socket

    @property
    def count(self) -> int:
        """How many of the ranks are here."""
        return self.orders["processes"]

    @property
    def first(self) -> int:
        """The number of the first that is."""
        return self.orders["node"] * self.count

    @property
    def world_size(self) -> int:
        return self.orders["nodes"] * self.count


def lead(
    job: Job,
    opened: Mapping[str, Any],
    orders: Mapping[str, Any],
    channel: socket.socket,
    stop: StopToken,
) -> int:
    """Run the job in its ranks. Returns the exit code of this process; what failed is told on `channel`."""
    job.paths.ranks.mkdir(exist_ok=True)
    heard, last_words = socket.socketpair()
    address, port, meeting = _meeting_point(orders, channel)
    work = _Work(job, opened, orders, channel, address, port, meeting, last_words)
    # Blocked until each rank has its own handler: a signal in between must find that one.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    flush_files()
    ranks: list[BaseProcess] = start_processes(
        _run_rank, (work,), work.count, join=False, start_method="fork"
    ).processes
    if meeting is not None:
        meeting.close()

    def pass_on(*_: Any) -> None:
        with suppress(ProcessLookupError):
            os.kill(ranks[0].pid, signal.SIGTERM)  # the others hear it from this one

    signal.signal(signal.SIGTERM, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if stop.requested:
        pass_on()
    code = _await_end(ranks)
    if code == wire.EXIT_FAILED:
        error = _cause(ranks, work.first, wire.Receiver(heard))
        print(error.pop("trace", ""), end="", flush=True)
        wire.send(channel, {"kind": "error", **error})
    _end(ranks)
    return code


def _meeting_point(
    orders: Mapping[str, Any], channel: socket.socket
) -> tuple[str, int, socket.socket | None]:
    """Where the ranks meet: opened here and told the other nodes, or as the first node has told."""
    if orders["meeting"]:
        address, _, port = orders["meeting"].rpartition(":")
        return address, int(port), None
    address = orders["address"] if orders["nodes"] > 1 else LOOPBACK
    meeting = socket.create_server((address, 0))
    port = meeting.getsockname()[1]
    if orders["nodes"] > 1:
        wire.send(channel, {"kind": wire.MEETING, "port": port})
    return address, port, meeting


def _await_end(ranks: Sequence[BaseProcess]) -> int:
    """Until all have ended well, or one has not."""
    codes: dict[BaseProcess, int | None] = dict.fromkeys(ranks)
    while None in codes.values():
        wait([rank.sentinel for rank, code in codes.items() if code is None])
        codes = {rank: rank.exitcode for rank in ranks}
        if set(codes.values()) - {None, *ENDED_WELL}:
            return wire.EXIT_FAILED
    return max(code or 0 for code in codes.values())  # one that has stopped has not done


def _end(ranks: Sequence[BaseProcess]) -> None:
    for rank in ranks:
        if rank.exitcode is None:
            rank.kill()
        rank.join()


def _cause(ranks: Sequence[BaseProcess], first: int, heard: wire.Receiver) -> dict[str, Any]:
    """Which rank took the others down, and why.

    One that was killed says nothing. Else it is the first that spoke: the others fail only when it is gone.
    """
    for number, rank in enumerate(ranks, first):
        if (rank.exitcode or 0) < 0:
            return _told(number, *wire.of_exit_code(rank.exitcode))
    for said in heard.receive(WORDS_S):
        trace = f"rank {said['rank']} failed:\n{said['trace']}"
        return {**_told(said["rank"], said["class"], said["reason"]), "trace": trace}
    silent = ((n, r.exitcode) for n, r in enumerate(ranks, first) if r.exitcode not in (None, *ENDED_WELL))
    number, code = next(silent)
    return _told(number, *wire.of_exit_code(code))


def _told(rank: int, failure: str, reason: str) -> dict[str, Any]:
    return {"class": failure, "reason": f"rank {rank}: {reason}"}


# --- in a rank ---------------------------------------------------------------------------------------


def _run_rank(local_rank: int, work: _Work) -> None:
    rank = work.first + local_rank
    code = wire.EXIT_FAILED
    try:
        die_with_parent()
        stop = StopToken()
        signal.signal(signal.SIGTERM, lambda *_: stop.request())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        if rank:
            redirect_output(work.job.paths.rank_log(rank), work.orders["umask"])
        code = _train(rank, local_rank, work, stop)
    except BaseException as error:
        _speak(rank, error, work)
    finally:
        leave(code)


def _train(rank: int, local_rank: int, work: _Work, stop: StopToken) -> int:
    def report(event: Event) -> None:
        if rank == 0:
            wire.send(work.channel, event.to_json())

    torch.set_num_threads(max(1, work.orders["threads"] // work.count))
    _meet(rank, local_rank, work)
    keep_to_share(work.orders["gpu_memory"])
    result = run_job(replace(work.job, ranks=Group()), report, stop, work.opened)
    dist.destroy_process_group()
    if result is None:
        return wire.EXIT_STOPPED
    if rank == 0:
        wire.send(work.channel, {"kind": "result", "result": result})
    return wire.EXIT_DONE


def _meet(rank: int, local_rank: int, work: _Work) -> None:
    """Join the others, under the names that torchrun gives them (https://pytorch.org/docs/stable/elastic)."""
    names = {
        "RANK": rank,
        "LOCAL_RANK": local_rank,
        "WORLD_SIZE": work.world_size,
        "LOCAL_WORLD_SIZE": work.count,
        "GROUP_RANK": work.orders["node"],
        "MASTER_ADDR": work.address,
        "MASTER_PORT": work.port,
    }
    os.environ.update({name: str(value) for name, value in names.items()})
    if interface := interface_of(LOOPBACK if work.orders["nodes"] == 1 else work.orders["address"]):
        for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(variable, interface)
    if rank == 0:
        listening = work.meeting.detach() if work.meeting else None
        store = dist.TCPStore(work.address, work.port, is_master=True, master_listen_fd=listening)
    else:
        if work.meeting is not None:
            work.meeting.close()
        store = dist.TCPStore(work.address, work.port)
    has_gpu = torch.cuda.is_available()
    if has_gpu:
        torch.cuda.set_device(local_rank)
    dist.init_process_group("nccl" if has_gpu else "gloo", store=store, rank=rank, world_size=work.world_size)


def _speak(rank: int, error: BaseException, work: _Work) -> None:
    """Before the sockets close by which the others find out."""
    trace = trace_of(error)[-MOST_OF_A_TRACE:]
    with suppress(OSError):
        said = {"rank": rank, **explain(error, work.orders["code"]), "trace": trace}
        wire.send(work.last_words, said)
    with suppress(OSError):
        print(trace, flush=True)
