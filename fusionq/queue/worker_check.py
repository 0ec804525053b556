"""The deep check of a submission by a worker, which has torch loaded already."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import fusionq
from fusionq.queue.sender import Sender
from fusionq.spec.job import JobSpec
from fusionq.spec.verdict import Verdict
from fusionq.store.store import Store
from fusionq.store.workers import WorkerRecord

WITHIN_S = 2.0
ANSWER_TAKES_S = 0.3  # of it, from the worker's last look to us
NO_WORKER = "no worker is up"
NONE_READY = "no worker that could run it is ready"


@dataclass(frozen=True)
class Question:
    """Jobs of one submission that run the same code, by its digest; "" where they have none of their own."""

    specs: Sequence[JobSpec]
    code: str


@dataclass(frozen=True)
class Checked:
    """The verdict of each job, or why there are none."""

    verdicts: list[Verdict] = field(default_factory=list)
    skipped: str = ""


class WorkerCheck:
    """Asks one worker, and waits no longer than `within_s` for all answers together."""

    def __init__(self, store: Store, sender: Sender, workdir: Path, within_s: float = WITHIN_S) -> None:
        self._store = store
        self._sender = sender
        self._workdir = workdir
        self._within_s = within_s
        self._deadline = time.monotonic() + within_s

    def of(self, question: Question) -> Checked:
        """Raises StoreUnavailableError."""
        alive = list(self._store.workers.alive())
        worker = choose(alive, question.specs)
        if worker is None:
            return Checked(skipped=NONE_READY if alive else NO_WORKER)
        token = self._store.checks.ask(
            {
                "specs": [spec.model_copy(update={"notify": []}).to_data() for spec in question.specs],
                "workdir": str(self._workdir.absolute()),
                "code": question.code,
                "timeout_s": self._left() - ANSWER_TAKES_S,
            }
        )
        self._sender.check(worker.name, token)
        answer = self._store.checks.await_answer(token, self._left())
        if answer is None:
            return Checked(skipped=f"the worker {worker.name} took longer than {self._within_s:g} s")
        verdicts = [Verdict.from_data(data) for data in answer.get("verdicts", ())]
        return Checked(verdicts, answer.get("skipped", ""))

    def _left(self) -> float:
        return max(0.01, self._deadline - time.monotonic())


def choose(workers: Sequence[WorkerRecord], specs: Sequence[JobSpec]) -> WorkerRecord | None:
    """The worker to ask, which may run these jobs: rather one of this host, and rather an idle one."""
    queues = {spec.queue for spec in specs}
    labels = {f"{key}={value}" for spec in specs for key, value in spec.resources.labels.items()}
    able = [
        worker
        for worker in workers
        if worker.state_word == "ready"
        and worker.version == fusionq.__version__
        and queues <= set(worker.queues)
        and labels <= set(worker.labels)
    ]
    here = socket.gethostname()
    return max(able, key=lambda worker: (worker.host == here, worker.free_slots), default=None)
