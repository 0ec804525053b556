"""A whole fusionq of its own: a home, an embedded Redis, workers, and the command line as typed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from fusionq.spec.record import JobRecord
from fusionq.spec.settings import ENV_HOME, Settings
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.store import Store
from tests.support import end_server, wait_until

JOBS = Path(__file__).parents[2] / "jobs"
LEASE = "3s"
LONG_S = 600.0

# A trainer that is slow on purpose, so that a test can come between two of its batches.
SLOW_TRAINER = """
import time
import fusionq as tf

class Slow(tf.StandardModel):
    def __init__(self, model, seconds):
        super().__init__(model)
        self.seconds = seconds

    def __train_func__(self, *arguments):
        time.sleep(self.seconds)
        super().__train_func__(*arguments)

class Faulty(tf.StandardModel):
    def __train_func__(self, *arguments):
        raise ValueError("these samples are odd")

class Hungry(tf.StandardModel):
    def __train_func__(self, *arguments):
        self.eaten = [*getattr(self, "eaten", []), bytearray(b"x") * 50_000_000]
        time.sleep(0.1)
        super().__train_func__(*arguments)
"""

# Dropout and shuffling draw random numbers: a resume that is not exact shows in the weights. One core: two
# threads that meet at every small operation stand in each other's way where other tests compute beside them.
SMALL_JOB = """
name: small
model:
  _target_: Sequential
  _args_:
    - {_target_: fusionq.Flatten}
    - {_target_: Linear, in_features: 64, out_features: 32}
    - {_target_: ReLU}
    - {_target_: Dropout, p: 0.2}
    - {_target_: Linear, in_features: 32, out_features: 10}
data:
  train: {_target_: Digits, size: 8}
  test: {_target_: Digits, size: 8, train: false}
  transform: [{_target_: ToTensor}]
  batch_size: 64
loss: {_target_: CrossEntropyLoss}
optimizer: {_target_: Adam, lr: 1e-2}
lr_scheduler: {_target_: StepLR, step_size: 2, gamma: 0.5}
metrics:
  train: [{_target_: Accuracy}]
  test: [{_target_: Accuracy}]
train: {epochs: 4, seed: 3}
resources: {cpus: 1}
grace: 20s
"""
SLOWLY = ("trainer={_target_: trainers.Slow, seconds: 0.02}",)


class Installation:
    """Everything in it ends with `close()`."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.workdir = root / "work"
        self.workdir.mkdir(parents=True)
        (self.workdir / "trainers.py").write_text(SLOW_TRAINER)
        self.job_file = self.workdir / "small.yaml"
        self.job_file.write_text(SMALL_JOB)
        self.environ = {key: value for key, value in os.environ.items() if not key.startswith("FUSIONQ_")}
        self.environ |= {ENV_HOME: str(self.home), "FUSIONQ_LEASE": LEASE, "CUDA_VISIBLE_DEVICES": ""}
        self._workers: list[subprocess.Popen[bytes]] = []
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        if self._store is None:
            self._store = Store.open(Settings(home=self.home, runs=self.home / "runs"))
        return self._store

    # --- the command line --------------------------------------------------------------------------

    def cli(self, *arguments: str, timeout_s: float = LONG_S) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "fusionq", *arguments]
        return subprocess.run(
            command, cwd=self.workdir, env=self.environ, capture_output=True, text=True, timeout=timeout_s
        )

    def submit(self, *overrides: str, file: Path | None = None) -> str:
        done = self.cli("submit", str(file or self.job_file), *overrides)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def status(self, job_id: str) -> dict[str, Any]:
        return json.loads(self.cli("status", job_id, "--json").stdout)["jobs"][0]

    # --- workers -----------------------------------------------------------------------------------

    def start_worker(
        self, name: str, command: tuple[str, ...] = ("-P", "-m", "fusionq.worker")
    ) -> subprocess.Popen[bytes]:
        """A worker that is ready."""
        worker = self.begin_worker(name, command)
        wait_until(lambda: self.is_ready(name, worker), timeout_s=LONG_S, what=f"worker {name} ready")
        return worker

    def begin_worker(
        self,
        name: str,
        command: tuple[str, ...] = ("-P", "-m", "fusionq.worker"),
        *,
        within: tuple[str, ...] = (),
        log: int | None = None,
        **environ: str,
    ) -> subprocess.Popen[bytes]:
        """A worker that will be ready soon. `within`: a command that starts it elsewhere."""
        path = self.home / f"{name}.log" if self.home.exists() else Path(os.devnull)
        with path.open("wb") as file:
            worker = subprocess.Popen(
                [*within, sys.executable, *command],
                cwd=self.workdir,
                env={**self.environ, "FUSIONQ_WORKER_NAME": name, **environ},
                stdin=subprocess.DEVNULL,
                stdout=file if log is None else log,
                stderr=subprocess.STDOUT,
            )
        self._workers.append(worker)
        return worker

    def is_ready(self, name: str, worker: subprocess.Popen[bytes]) -> bool:
        assert worker.poll() is None, f"worker {name} ended with {worker.returncode}"
        return any(w.name == name and w.accepting for w in self.store.workers.alive())

    # --- waiting -----------------------------------------------------------------------------------

    def await_end(self, job_id: str) -> JobRecord:
        wait_until(lambda: self.store.jobs.get(job_id).is_finished, timeout_s=LONG_S, what=f"{job_id} over")
        return self.store.jobs.get(job_id)

    def await_epochs(self, job_id: str, epochs: int, attempt: int = 1) -> None:
        """Until the job stands in the middle of its training."""

        def reached() -> bool:
            points = [p for p in self.store.streams.points(job_id) if p["attempt"] == attempt]
            return any(p["kind"] == "epoch" and p["epoch"] >= epochs for p in points)

        wait_until(reached, timeout_s=LONG_S, what=f"epoch {epochs} of {job_id}")

    def process_of(self, job_id: str, worker: subprocess.Popen[bytes]) -> psutil.Process:
        process = self.find_process(job_id, worker)
        assert process is not None, f"no process of {job_id}"
        return process

    def find_process(self, job_id: str, worker: subprocess.Popen[bytes]) -> psutil.Process | None:
        """The job process: a child of the worker's fork server that has this job's log open."""
        log = str(self.home / "runs" / job_id / "output.log")
        for process in psutil.Process(worker.pid).children(recursive=True):
            if any(os.path.realpath(f"/proc/{process.pid}/fd/{fd}") == log for fd in (1, 2)):
                return process
        return None

    def processes(self) -> list[psutil.Process]:
        """Every living process that was started in this home."""
        mark = f"{ENV_HOME}={self.home}".encode()
        found = []
        for process in psutil.process_iter():
            try:
                is_ours = mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
                is_ours = is_ours or str(self.home) in " ".join(process.cmdline())
                if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (OSError, psutil.Error):
                continue
        return found

    def close(self) -> None:
        for worker in self._workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        for worker in self._workers:
            try:
                worker.wait(timeout=120)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
        if self._store is not None:
            self._store.close()
        end_server(EmbeddedRedis(self.home))
