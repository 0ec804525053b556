"""What Prometheus reads of a worker."""

from __future__ import annotations

from collections.abc import Callable
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from fusionq.errors import StoreUnavailableError, WorkerError
from fusionq.store.store import Store
from fusionq.worker.hardware.gpu_monitor import GpuWatch
from fusionq.worker.hardware.nvml import Meter, find_gpus
from fusionq.worker.prometheus import WorkerCollector, serve_metrics
from fusionq.worker.running_attempts import Attempt
from fusionq.worker.worker import Node
from tests.support import await_lease_end, register, running, submit
from tests.worker.fake_nvml import FakeNvml

GB = 1_000_000_000
Read = Callable[..., float | None]


@pytest.fixture
def read(node: Node) -> Read:
    """A sample of it, by name and labels, as it is now; None where there is none."""
    registry = CollectorRegistry()
    registry.register(WorkerCollector(node))
    return lambda metric, /, **labels: registry.get_sample_value(f"fusionq_{metric}", labels)


def test_jobs_are_counted_by_state_and_by_queue(store: Store, read: Read):
    register(store, slots=2)
    for job_id in "abc":
        submit(store, job_id)
    attempt = running(store, "a")
    store.jobs.finish("a", attempt, "failed", "no", failure="error")
    running(store, "b")
    store.queues.pause("default", "later")
    told = {state: read("jobs", state=state) for state in ("queued", "running", "failed", "succeeded")}
    assert told == {"queued": 1, "running": 1, "failed": 1, "succeeded": 0}
    assert read("queue_depth", queue="default") == 1
    assert read("queue_oldest_seconds", queue="default") < 60
    assert read("queue_paused", queue="default") == 1


def test_lost_leases_are_counted(store: Store, read: Read):
    register(store)
    submit(store, "a")
    attempt = running(store, "a", lease_s=0.01)
    await_lease_end(store, "a")
    assert store.jobs.reap("a", attempt, delay_s=0.0, reason="gone", failure="worker_lost")
    assert read("lost_attempts_total", failure="worker_lost") == 1


def test_a_worker_tells_its_slots_and_whether_it_takes_jobs(node: Node, read: Read):
    assert read("worker_slots", worker="w") == 1
    assert read("worker_slots_used", worker="w") == 0
    assert read("worker_accepting", worker="w") == 1
    node.is_draining = True
    assert read("worker_accepting", worker="w") == 0


def test_a_worker_tells_what_its_gpus_do(node: Node, read: Read, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    nvml = FakeNvml(("GPU-a", "NVIDIA A100", 80 * GB), ("GPU-b", "NVIDIA A100", 80 * GB))
    node.gpus = find_gpus("all", nvml)
    node.gpu_watch = GpuWatch(node.gpus, Meter(nvml))
    nvml.unseen[0] = 5 * GB
    node.look_at_gpus()
    first, second = ({"worker": "w", "gpu": index, "model": "NVIDIA A100"} for index in "01")
    assert read("gpu_memory_bytes", **first) == 80 * GB
    assert read("gpu_memory_used_bytes", **first) == 5 * GB
    assert read("gpu_utilization_ratio", **first) == 0.97
    assert (read("gpu_temperature_celsius", **first), read("gpu_temperature_celsius", **second)) == (64, None)
    assert (read("gpu_blocked", **first), read("gpu_blocked", **second)) == (1, 0)


def test_the_loss_of_a_running_job_is_told_and_gone_with_it(store: Store, node: Node, read: Read):
    register(store)
    submit(store, "a", name="mnist")
    running(store, "a")
    attempt = Attempt("a", 1)
    node.running.add(attempt)
    store.jobs.note_progress(
        "a",
        {
            "kind": "progress",
            "phase": "train",
            "epoch": 2,
            "num_epochs": 4,
            "batch": 1,
            "num_batches": 2,
            "samples_per_s": 100.0,
            "values": {"train_loss": 0.5, "train_accuracy": 0.9},
        },
    )
    which = {"worker": "w", "job": "a", "name": "mnist"}
    assert read("job_loss", **which, loss="train_loss") == 0.5
    assert read("job_loss", **which, loss="train_accuracy") is None
    assert read("job_progress_ratio", **which) == 0.375
    assert read("job_samples_per_second", **which) == 100
    node.running.remove(attempt)
    assert read("job_loss", **which, loss="train_loss") is None


def test_without_redis_the_worker_still_tells_of_itself(
    node: Node, read: Read, monkeypatch: pytest.MonkeyPatch
):
    assert read("redis_up") == 1

    def fail() -> None:
        raise StoreUnavailableError("no")

    monkeypatch.setattr(node.store.queues, "tally", fail)
    assert read("redis_up") == 0
    assert read("worker_slots", worker="w") == 1


def test_it_is_served_as_prometheus_reads_it_and_a_taken_port_is_refused(node: Node):
    url = serve_metrics(node, "127.0.0.1:0")
    with urlopen(url, timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    assert "fusionq_worker_slots" in {family.name for family in families}
    taken = url.removeprefix("http://").removesuffix("/metrics")
    with pytest.raises(WorkerError, match="cannot serve metrics at 127"):
        serve_metrics(node, taken)
