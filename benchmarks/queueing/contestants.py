"""Who takes part: how each is started, and the client that submits to it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import Peers
from benchmarks.queueing.driver import Driver
from benchmarks.queueing.installation import SLOTS, Installation, end, environ_of, start, wait_until
from fusionq.queue.celery_app import celery_url
from fusionq.store.embedded import EmbeddedRedis

MODULE = "benchmarks.queueing.by_"


@dataclass(frozen=True)
class Contestant:
    """`is_warm`: it starts no fresh Python for a training, so that many take little time."""

    name: str
    begin: Callable[[Field], Begun]
    package: str = ""
    is_warm: bool = False


@dataclass
class Begun:
    """A contestant that is ready."""

    driver: Driver
    services: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def close(self) -> None:
        self.driver.close()
        end(self.services)


class Field:
    """Where they all run: the user's folder, a Redis for those that need one, and the peers' Python."""

    def __init__(self, own: Installation, root: Path, peers: Peers) -> None:
        self.own = own
        self.root = root
        self.workdir = own.workdir
        self.peers = peers
        self.redis = EmbeddedRedis(root / "redis-of-peers")

    def close(self) -> None:
        self.redis.stop()

    def redis_url(self, database: int) -> str:
        return f"{self.redis.ensure_running()}?db={database}"

    def environ(self, **more: str) -> dict[str, str]:
        environ = environ_of(more)
        return environ | {"PYTHONPATH": f"{environ['PYTHONPATH']}:{self.workdir}"}

    def drive(self, module: str, *arguments: object, is_peer: bool = True, **environ: str) -> Driver:
        python = self.peers.python if is_peer else sys.executable
        command = [python, "-m", MODULE + module, *arguments]
        return Driver(command, self.workdir, self.environ(**environ))

    def start(self, command: Sequence[object], **environ: str) -> subprocess.Popen[bytes]:
        return start(command, self.workdir, self.environ(**environ))


def fusionq(field: Field) -> Begun:
    field.own.worker()
    return Begun(field.drive("fusionq", field.own.home, is_peer=False))


def by_hand(field: Field) -> Begun:
    return Begun(field.drive("hand", is_peer=False))


def rq(field: Field) -> Begun:
    url = field.redis_url(1)
    program = field.peers.folder / "bin" / "rq"
    workers = [field.start([program, "worker", "-u", url, "plain"]) for _ in range(SLOTS)]
    return Begun(field.drive("rq", url, "plain"), workers)


def rq_preloaded(field: Field) -> Begun:
    url = field.redis_url(1)
    command = [field.peers.python, "-m", MODULE + "rq", url, "warm", "worker"]
    return Begun(field.drive("rq", url, "warm"), [field.start(command) for _ in range(SLOTS)])


def celery(field: Field) -> Begun:
    return _celery(field, "plain")


def celery_one_each(field: Field) -> Begun:
    return _celery(field, "one-each", "--max-tasks-per-child", "1")


def _celery(field: Field, queue: str, *options: str) -> Begun:
    environ = {"BENCHMARK_BROKER": celery_url(field.redis_url(2)), "BENCHMARK_QUEUE": queue}
    app = [sys.executable, "-m", "celery", "-A", MODULE + "celery", "--quiet"]
    worker = field.start([*app, "worker", "-c", SLOTS, "-n", f"{queue}@%h", *options], **environ)
    return Begun(field.drive("celery", is_peer=False, **environ), [worker])


def submitit(field: Field) -> Begun:
    return Begun(field.drive("submitit", field.root / "submitit"))


def ray(field: Field) -> Begun:
    port, dashboard = _free_port(), _free_port()
    program = field.peers.folder / "bin" / "ray"
    options = [f"--port={port}", f"--dashboard-port={dashboard}", f"--num-cpus={SLOTS}", "--num-gpus=0"]
    options += ["--disable-usage-stats", f"--temp-dir={field.root / 'ray'}", "--include-dashboard=true"]
    head = field.start([program, "start", "--head", "--block", *options])
    _await_port(dashboard)
    return Begun(field.drive("ray", f"http://127.0.0.1:{dashboard}"), [head])


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _await_port(port: int) -> None:
    def is_open() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(is_open, f"port {port}", 60)


CONTESTANTS = (
    Contestant("fusionq, a fresh process each", fusionq, is_warm=True),
    Contestant("`python train.py` by hand", by_hand),
    Contestant("RQ, its fork worker", rq, "rq"),
    Contestant("RQ, a fork worker taught to import torch before", rq_preloaded, "rq", is_warm=True),
    Contestant("Celery prefork, torch in the task; all in one process", celery, is_warm=True),
    Contestant("Celery prefork, a fresh process each", celery_one_each),
    Contestant("submitit, local executor", submitit, "submitit"),
    Contestant("Ray Jobs", ray, "ray[default]"),
)
