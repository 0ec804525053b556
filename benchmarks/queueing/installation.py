"""A fusionq of its own in a folder that is thrown away: an embedded Redis, workers, and the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from fusionq.queue.celery_app import make_app
from fusionq.queue.sender import Sender
from fusionq.spec.load import Loaded, load_file
from fusionq.spec.settings import ENV_HOME, Settings
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.store import Store

ROOT = Path(__file__).parents[2]
PROJECT = Path(__file__).parent / "project"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
LONG_S = 180.0
SLOTS = 2
FIRST_WORKER = "first"


class Installation:
    """Everything in it ends with `close()`. `workdir` is a user's folder with a small module of their own."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.workdir = root / "project"
        self.stamps = root / "stamps"
        self.stamps.mkdir(parents=True)
        shutil.copytree(PROJECT, self.workdir, ignore=shutil.ignore_patterns("__pycache__"))
        _commit(self.workdir)
        self.settings = Settings(home=self.home, runs=self.home / "runs")
        self.environ = environ_of({ENV_HOME: str(self.home)})
        self._workers: dict[str, subprocess.Popen[bytes]] = {}

    @cached_property
    def store(self) -> Store:
        return Store.open(self.settings)

    @cached_property
    def sender(self) -> Sender:
        url = self.store.url
        return Sender(make_app(lambda: url), self.store)

    def job(self, *overrides: str) -> Loaded:
        """The small training, or a longer one by overrides."""
        return load_file(self.workdir / "job.yaml", overrides, workdir=self.workdir)[0]

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fusionq", *arguments]
        return subprocess.run(
            command, cwd=self.workdir, env=self.environ, capture_output=True, text=True, check=True
        )

    def worker(self, name: str = FIRST_WORKER) -> subprocess.Popen[bytes]:
        """A worker that is ready and warm, started where there is none of the name."""
        if name in self._workers and self._workers[name].poll() is None:
            return self._workers[name]
        options = {"FUSIONQ_WORKER_NAME": name, "FUSIONQ_WORKER_SLOTS": str(SLOTS)}
        self.store.ping()
        self._workers[name] = start(
            [sys.executable, "-P", "-m", "fusionq.worker"], self.workdir, self.environ | options
        )
        wait_until(lambda: any(w.name == name and w.accepting for w in self.store.workers.alive()), name)
        return self._workers[name]

    def close(self) -> None:
        end([*self._workers.values()])
        for opened in ("sender", "store"):
            if opened in vars(self):
                vars(self)[opened].close()
        server = EmbeddedRedis(self.home)
        server.stop()
        if server.socket.parent != server.folder:
            shutil.rmtree(server.socket.parent, ignore_errors=True)


def _commit(folder: Path) -> None:
    """A user's folder is mostly under git, and then a record says where it stood."""
    identity = ("-c", "user.name=u", "-c", "user.email=u@localhost", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "as it is")):
        subprocess.run(["git", *command], cwd=folder, check=False, capture_output=True)


def environ_of(more: dict[str, str]) -> dict[str, str]:
    """The environment without settings of the user's own, one thread each, and no GPU."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("FUSIONQ_")}
    return own | ONE_THREAD | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)} | more


def start(command: Sequence[Any], workdir: Path, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    """A service in the background, leader of its own session."""
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=workdir,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def end(services: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask each to leave, then kill what is left of it."""
    trees = [tree(service.pid) for service in services]
    for service in services:
        service.terminate()
    _, alive = psutil.wait_procs([process for each in trees for process in each], timeout=20)
    for process in alive:
        process.kill()
    for service in services:
        service.wait()


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it; [] where it is gone."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = LONG_S) -> Any:
    """Poll until `condition()` is true and return its value. Raises TimeoutError."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: nothing within {timeout_s:g} s")
        time.sleep(0.002)
    return value
