"""The options of a worker, read from its environment: `celery -A fusionq.worker.app` has them, too."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from fusionq.errors import UsageError
from fusionq.spec.stops import MOST_SLOTS

PREFIX = "FUSIONQ_WORKER_"
ENV_NAME = "FUSIONQ_WORKER_NAME"
ENV_SLOTS = "FUSIONQ_WORKER_SLOTS"
ENV_GPUS = "FUSIONQ_WORKER_GPUS"
ENV_QUEUES = "FUSIONQ_WORKER_QUEUES"
ENV_LABELS = "FUSIONQ_WORKER_LABELS"
ENV_ADDRESS = "FUSIONQ_WORKER_ADDRESS"
ENV_FOREIGN = "FUSIONQ_WORKER_FOREIGN"
ENV_METRICS_PORT = "FUSIONQ_WORKER_METRICS_PORT"
ENV_EXIT_WHEN_IDLE = "FUSIONQ_WORKER_EXIT_WHEN_IDLE"

# What becomes of a GPU on which processes compute that are none of ours.
SKIP_FOREIGN = "skip"
SHARE_WITH_FOREIGN = "share"  # jobs that ask for a share of a GPU get what the others leave
IGNORE_FOREIGN = "ignore"
FOREIGN_WORDS = (SKIP_FOREIGN, SHARE_WITH_FOREIGN, IGNORE_FOREIGN)

LOOPBACK = "127.0.0.1"

PER_GPU = "per-gpu:"
ALL_GPUS = "all"
NO_GPUS = "none"


@dataclass(frozen=True)
class WorkerOptions:
    """`slots` is None where there is one for each GPU, as are `slots_per_gpu`; `gpus` is all, none, or
    numbers such as 0,2; a label is key=value; `address` is where other workers reach its jobs;
    `metrics_port` is HOST:PORT where Prometheus asks, '' for nowhere.
    """

    name: str = ""
    slots: int | None = None
    gpus: str = ALL_GPUS
    queues: tuple[str, ...] = ("default",)
    labels: tuple[str, ...] = ()
    exit_when_idle: bool = False
    slots_per_gpu: int = 1
    foreign: str = SKIP_FOREIGN
    address: str = ""
    metrics_port: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> WorkerOptions:
        """Raises UsageError."""
        slots, per_gpu = _slots(environ.get(ENV_SLOTS) or "")
        gpus = environ.get(ENV_GPUS) or ALL_GPUS
        if gpus not in (ALL_GPUS, NO_GPUS) and not all(part.strip().isdecimal() for part in gpus.split(",")):
            raise UsageError(f"{option(ENV_GPUS)} {gpus!r} is not all, none, or numbers such as 0,2")
        queues = tuple(
            queue.strip() for queue in environ.get(ENV_QUEUES, "default").split(",") if queue.strip()
        )
        foreign = environ.get(ENV_FOREIGN) or SKIP_FOREIGN
        if foreign not in FOREIGN_WORDS:
            raise UsageError(f"{option(ENV_FOREIGN)} {foreign!r} is none of {', '.join(FOREIGN_WORDS)}")
        return cls(
            foreign=foreign,
            address=environ.get(ENV_ADDRESS, ""),
            metrics_port=_metrics_port(environ.get(ENV_METRICS_PORT, "")),
            name=_name(environ.get(ENV_NAME, "")),
            slots=slots,
            slots_per_gpu=per_gpu,
            gpus=gpus,
            queues=queues or ("default",),
            labels=_parse_labels(environ.get(ENV_LABELS, "")),
            exit_when_idle=environ.get(ENV_EXIT_WHEN_IDLE) == "1",
        )

    def base_name(self) -> str:
        return self.name or socket.gethostname().split(".")[0]


def option(variable: str) -> str:
    """Returns the option of `fusionq worker` that sets a variable, with both names: people type either."""
    return f"--{variable.removeprefix(PREFIX).lower().replace('_', '-')} ({variable}):"


def _name(text: str) -> str:
    """Raises UsageError for what cannot be told from other words, or would harm a terminal."""
    if not text.isprintable() or set(text) & set(" ,=/"):
        raise UsageError(f"{option(ENV_NAME)} {text!r} has blanks, control characters, or one of , = /")
    return text


def _slots(text: str) -> tuple[int | None, int]:
    """A number of slots, or None and how many there are for each GPU."""
    is_per_gpu = text.startswith(PER_GPU)
    number = text.removeprefix(PER_GPU)
    if text and not (number.isdecimal() and 0 < int(number) <= MOST_SLOTS):
        raise UsageError(
            f"{option(ENV_SLOTS)} {text!r} is not a number of slots from 1 to {MOST_SLOTS}",
            hint=f"or {PER_GPU}2 for two on each GPU",
        )
    if is_per_gpu or not text:
        return None, int(number or 1)
    return int(number), 1


def _metrics_port(text: str) -> str:
    """PORT is on this machine alone: what is told there is nobody else's business unless a host says so."""
    host, _, port = text.rpartition(":")
    if text and not (port.isdecimal() and 0 <= int(port) < 65536):
        raise UsageError(
            f"{option(ENV_METRICS_PORT)} {text!r} is not a port from 0 to 65535",
            hint="or such as 0.0.0.0:9400",
        )
    return f"{host or LOOPBACK}:{port}" if text else ""


def _parse_labels(text: str) -> tuple[str, ...]:
    labels = [part.strip() for part in text.split(",") if part.strip()]
    for label in labels:
        if not all(label.partition("=")[::2]):
            raise UsageError(f"{option(ENV_LABELS)} {label!r} is not a label such as site=berlin")
    return tuple(labels)
