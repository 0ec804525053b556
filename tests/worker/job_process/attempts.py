"""Job processes of a real fork server, as tests of them see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil

from fusionq.spec.paths import RunPaths
from fusionq.worker.job_process_launcher import JobProcess
from tests.support import wait_until

LONG_S = 60.0
JOB = """
name: small
model:
  _target_: Sequential
  _args_:
    - {_target_: fusionq.Flatten}
    - {_target_: Linear, in_features: 64, out_features: 10}
data:
  train: {_target_: Digits, size: 8}
  transform: [{_target_: ToTensor}]
loss: {_target_: CrossEntropyLoss}
optimizer: {_target_: SGD, lr: 0.1}
"""

# A trainer whose first batch does what a test wants to see.
TRAINERS = """
import fusionq as tf

class Doing(tf.StandardModel):
    def __train_func__(self, *arguments):
        self.do()
        super().__train_func__(*arguments)
"""
WITHOUT_END = "import time; time.sleep(0.5)"


class Attempt:
    """A job process and what it said."""

    def __init__(self, process: JobProcess, paths: RunPaths, workdir: Path) -> None:
        self.process = process
        self.workdir = workdir
        self.paths = paths
        self.messages: list[dict[str, Any]] = []

    @property
    def output(self) -> str:
        log = self.paths.output_log  # which the process makes when it has its orders
        return log.read_text() if log.exists() else ""

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["kind"] == kind]

    def listen(self) -> None:
        self.messages += self.process.receive(0.02)

    def await_kind(self, kind: str) -> dict[str, Any]:
        def heard() -> bool:
            self.listen()
            assert not self.process.is_over, self.output
            return bool(self.of_kind(kind))

        wait_until(heard, timeout_s=LONG_S, what=f"a message {kind}")
        return self.of_kind(kind)[0]

    def await_text(self, text: str) -> None:
        def seen() -> bool:
            self.listen()
            return text in self.output

        wait_until(seen, timeout_s=LONG_S, what=f"{text!r} in the log")

    def await_end(self, timeout_s: float = LONG_S) -> int | None:
        def is_over() -> bool:
            self.listen()
            return self.process.is_over

        wait_until(is_over, timeout_s=timeout_s, what="the end of the job")
        return self.process.exit_code


def guardian_of(attempt: Attempt) -> psutil.Process:
    return psutil.Process(attempt.process.pid).parent()


def server_of(attempt: Attempt) -> psutil.Process:
    return guardian_of(attempt).parent()
