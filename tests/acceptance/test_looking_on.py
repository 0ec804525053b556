"""Other programs look on: Prometheus at a worker, Flower on the same Redis."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fusionq.errors import WorkerError
from fusionq.spec.states import Outcome
from tests.acceptance.installation import LONG_S, SLOWLY, Installation
from tests.support import wait_until

pytestmark = pytest.mark.acceptance


def test_prometheus_sees_the_loss_of_a_job_and_flower_the_worker_and_the_job(
    installation: Installation,
) -> None:
    installation.cli("up")
    worker = installation.begin_worker("watched", FUSIONQ_WORKER_METRICS_PORT="0")
    wait_until(lambda: installation.is_ready("watched", worker), timeout_s=LONG_S, what="the worker")
    metrics = _address_in(installation.home / "watched.log") + "/metrics"
    with _flower(installation) as flower:
        wait_until(
            lambda: _workers_of(flower) == [worker.pid], timeout_s=LONG_S, what="Flower sees the worker"
        )
        job_id = installation.submit("train.epochs=30", *SLOWLY)
        wait_until(lambda: _losses_of(metrics, job_id), timeout_s=LONG_S, what="a loss of the job")
        assert _samples(metrics, "fusionq_worker_slots_used") == [({"worker": "watched"}, 1.0)]
        wait_until(lambda: _task_of(flower, job_id) == "STARTED", timeout_s=LONG_S, what="the task runs")
        installation.cli("cancel", job_id)
        assert installation.await_end(job_id).outcome is Outcome.CANCELLED
        wait_until(lambda: not _losses_of(metrics, job_id), timeout_s=LONG_S, what="no loss any more")
        assert ({"state": "cancelled"}, 1.0) in _samples(metrics, "fusionq_jobs")
        wait_until(lambda: _task_of(flower, job_id) == "SUCCESS", timeout_s=LONG_S, what="the task is over")


def test_a_worker_whose_metrics_port_is_taken_says_so_and_leaves(installation: Installation) -> None:
    installation.cli("up")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = installation.cli("worker", "--name", "late", "--metrics-port", port)
    assert done.returncode == WorkerError.exit_code
    assert f"cannot serve metrics at 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert installation.store.workers.all() == []


def _losses_of(metrics: str, job_id: str) -> list[float]:
    return [value for labels, value in _samples(metrics, "fusionq_job_loss") if labels["job"] == job_id]


def _samples(metrics: str, name: str) -> list[tuple[dict[str, str], float]]:
    with urlopen(metrics, timeout=120) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return [(it.labels, it.value) for family in families for it in family.samples if it.name == name]


def _workers_of(flower: str) -> list[int]:
    """The process numbers of the workers that Flower shows as alive."""
    return [worker["pid"] for worker in _read(f"{flower}/workers?json=1")["data"] if worker["status"]]


def _task_of(flower: str, job_id: str) -> str | None:
    """In which state Flower shows the task that runs this job."""
    tasks = _read(f"{flower}/api/tasks?taskname=fusionq.run")
    states = [task["state"] for task in tasks.values() if job_id in str(task["args"])]
    return states[0] if states else None


def _read(url: str) -> Any:
    with urlopen(url, timeout=120) as answer:
        return json.load(answer)


@contextmanager
def _flower(installation: Installation) -> Iterator[str]:
    """Flower as anybody starts it; its address."""
    log = installation.home / "flower.log"
    command = [sys.executable, "-m", "celery", "-A", "fusionq.worker.app", "flower"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--address=127.0.0.1", "--port=0"],
            cwd=installation.workdir,
            env={**installation.environ, "FLOWER_UNAUTHENTICATED_API": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _address_in(log)
    finally:
        process.terminate()
        process.wait(timeout=120)


def _address_in(log: Path) -> str:
    def find() -> re.Match[str] | None:
        return re.search(r"http://127\.0\.0\.1:\d+", log.read_text())

    return wait_until(find, timeout_s=LONG_S, what=f"an address in {log.name}")[0]
