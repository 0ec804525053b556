"""A process of the fork server that checks jobs and trains none. It touches no GPU and prints nothing."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import torch

from fusionq.engine.checking.several_jobs import check_many
from fusionq.spec.load import parse_job
from fusionq.spec.private import PRIVATE
from fusionq.worker import protocol as wire
from fusionq.worker.job_process.setup import redirect_output, set_import_path
from fusionq.worker.processes.tags import wear


def answer_checks(orders: dict[str, Any], channel: socket.socket) -> int:
    """Check the jobs of these orders, and tell their verdicts on `channel`."""
    redirect_output(Path(os.devnull), PRIVATE)
    wear(orders["marks"])
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # others train on them
    torch.set_num_threads(1)
    workdir = Path(orders["workdir"])
    set_import_path(orders["code"], workdir)
    verdicts = check_many(
        [parse_job(spec) for spec in orders[wire.TO_CHECK]],
        workdir,
        [],
        Path(orders["data_root"]) if orders["data_root"] else None,
        orders["timeout_s"],
        Path(orders["runs"]),
    )
    wire.send(channel, {"kind": wire.VERDICTS, "verdicts": verdicts})
    return wire.EXIT_DONE
