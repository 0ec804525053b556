"""The parent of a job process, where it cannot do its work."""

from __future__ import annotations

import os
import socket
from typing import NoReturn

from fusionq.worker import protocol as wire
from fusionq.worker.job_process.guardian import guard

LONG_S = 60.0


def refuse() -> NoReturn:
    raise BlockingIOError(11, "no more processes")


def test_a_guardian_that_fails_says_so_and_ends_with_a_code():
    requests, control = socket.socketpair()
    ours, theirs = socket.socketpair()
    with requests, control, ours, theirs:
        pid = os.fork()
        if pid == 0:
            os.fork = refuse
            guard(control)
        socket.send_fds(requests, [wire.REQUEST], [theirs.fileno()])
        (error,) = wire.Receiver(ours).receive(LONG_S)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == wire.EXIT_FAILED
    assert (error["kind"], error["class"]) == ("error", "worker_lost")
    assert error["reason"] == "its guardian failed: BlockingIOError: [Errno 11] no more processes"
