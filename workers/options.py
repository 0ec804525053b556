"""How a worker is set up: by its environment, so that plain `celery -A workers.app worker` works too."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from fusionq.errors import UsageError

ENV_NAME = "FUSIONQ_WORKER_NAME"
ENV_SLOTS = "FUSIONQ_WORKER_SLOTS"
ENV_GPUS = "FUSIONQ_WORKER_GPUS"
ENV_QUEUES = "FUSIONQ_WORKER_QUEUES"
ENV_EXIT_WHEN_IDLE = "FUSIONQ_WORKER_EXIT_WHEN_IDLE"

ALL_GPUS = "all"
NO_GPUS = "none"


@dataclass(frozen=True)
class WorkerOptions:
    """`slots` is None where it follows from the GPUs; `gpus` is all, none, or numbers such as 0,2."""

    name: str = ""
    slots: int | None = None
    gpus: str = ALL_GPUS
    queues: tuple[str, ...] = ("default",)
    exit_when_idle: bool = False

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> WorkerOptions:
        """Raises UsageError."""
        slots = environ.get(ENV_SLOTS)
        if slots and not (slots.isdecimal() and 0 < int(slots) <= 1000):
            raise UsageError(f"{ENV_SLOTS}: {slots!r} is not a number of slots from 1 to 1000")
        gpus = environ.get(ENV_GPUS) or ALL_GPUS
        if gpus not in (ALL_GPUS, NO_GPUS) and not all(part.strip().isdecimal() for part in gpus.split(",")):
            raise UsageError(f"{ENV_GPUS}: {gpus!r} is not all, none, or numbers such as 0,2")
        queues = tuple(
            queue.strip() for queue in environ.get(ENV_QUEUES, "default").split(",") if queue.strip()
        )
        return cls(
            name=environ.get(ENV_NAME, ""),
            slots=int(slots) if slots else None,
            gpus=gpus,
            queues=queues or ("default",),
            exit_when_idle=environ.get(ENV_EXIT_WHEN_IDLE) == "1",
        )

    def base_name(self) -> str:
        return self.name or socket.gethostname().split(".")[0]
