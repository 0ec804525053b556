"""What a worker tells Prometheus: of the queue, which every worker tells alike, of itself and its jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fusionq.errors import StoreUnavailableError, WorkerError
from fusionq.spec.failures import LOST_LEASE, WORKER_LOST
from fusionq.spec.progress import share_done
from fusionq.spec.states import Outcome, Status
from fusionq.store.store import Store
from fusionq.worker.worker import Node

STATES = (*(status for status in Status if status is not Status.FINISHED), *Outcome)
JOB = ("worker", "job", "name")


def serve_metrics(node: Node, address: str) -> str:
    """Answer to Prometheus at HOST:PORT from now on. Returns its URL.

    Port 0 is any that is free. Raises WorkerError where somebody has the port.
    """
    host, _, port = address.rpartition(":")
    registry = CollectorRegistry()
    registry.register(WorkerCollector(node))
    try:
        server, _ = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        raise WorkerError(
            f"cannot serve metrics at {address}: {error.strerror or error}",
            hint="choose another with --metrics-port",
        ) from None
    return f"http://{host}:{server.server_port}/metrics"


class WorkerCollector(Collector):
    """Reads everything at the moment it is asked."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def describe(self) -> Iterable[Metric]:
        return ()  # else registering it would ask Redis

    def collect(self) -> Iterator[Metric]:
        try:
            told = [*_of_queues(self._node.store), *_of_jobs(self._node)]
        except StoreUnavailableError:
            told = []
        yield _gauge("redis_up", "Whether the worker reaches Redis.", [((), bool(told))])
        yield from told
        yield from _of_worker(self._node)


def _of_queues(store: Store) -> Iterator[Metric]:
    tally, counts, paused = store.queues.tally(), store.queues.counts(), store.queues.paused()
    yield _gauge(
        "jobs",
        "Jobs by state, the outcome of those that ended.",
        [((state,), max(0, tally.get(state, 0))) for state in STATES],
        ("state",),
    )
    yield _gauge(
        "queue_depth",
        "Jobs that wait for a worker.",
        [((queue,), it.pending) for queue, it in counts.items()],
        ("queue",),
    )
    yield _gauge(
        "queue_oldest_seconds",
        "How long the oldest of them has been queued.",
        [((queue,), it.oldest_s) for queue, it in counts.items()],
        ("queue",),
    )
    yield _gauge(
        "queue_paused",
        "Whether a queue is paused.",
        [((queue,), queue in paused) for queue in sorted({*counts, *paused})],
        ("queue",),
    )
    lost = CounterMetricFamily(
        "fusionq_lost_attempts",
        "Attempts that were lost, by the class of the failure: lost_lease and worker_lost are lost leases.",
        labels=("failure",),
    )
    # From the beginning, for a rate is taken of what was there before.
    counted = {LOST_LEASE: 0, WORKER_LOST: 0, **store.queues.lost_attempts()}
    for failure, count in sorted(counted.items()):
        lost.add_metric((failure,), count)
    yield lost


def _of_worker(node: Node) -> Iterator[Metric]:
    me = (node.name,)
    yield _gauge("worker_slots", "Jobs that it runs at once.", [(me, node.slots)], ("worker",))
    yield _gauge("worker_slots_used", "Jobs that it runs.", [(me, len(node.running.all()))], ("worker",))
    yield _gauge("worker_accepting", "Whether it takes jobs.", [(me, node.takes_jobs)], ("worker",))
    yield from _of_gpus(node)


def _of_gpus(node: Node) -> Iterator[Metric]:
    gpus = {gpu.index: gpu for gpu in node.gpus}
    readings, blocked = node.gpu_watch.readings, node.gpu_watch.blocked
    parts: list[tuple[str, str, dict[int, Any]]] = [
        ("gpu_memory_bytes", "Memory of a GPU.", {i: gpu.memory_bytes for i, gpu in gpus.items()}),
        ("gpu_memory_used_bytes", "What of it is used.", {i: it.used_bytes for i, it in readings.items()}),
        (
            "gpu_utilization_ratio",
            "How much of the time it computes, from 0 to 1.",
            {i: it.use / 100 for i, it in readings.items() if it.use is not None},
        ),
        ("gpu_temperature_celsius", "How hot it is.", {i: it.temperature for i, it in readings.items()}),
        ("gpu_blocked", "Whether something keeps it from jobs.", {i: i in blocked for i in gpus}),
    ]
    for name, help_text, values in parts:
        rows = [
            ((node.name, str(i), gpus[i].name), value) for i, value in values.items() if value is not None
        ]
        yield _gauge(name, help_text, rows, ("worker", "gpu", "model"))


def _of_jobs(node: Node) -> Iterator[Metric]:
    records = node.store.jobs.get_many([attempt.job_id for attempt in node.running.all()])
    rows = [((node.name, record.id, record.name), record.progress) for record in records]
    losses = [
        ((*who, key), value)
        for who, progress in rows
        for key, value in progress.get("values", {}).items()
        if "loss" in key
    ]
    yield _gauge("job_loss", "The losses of the jobs that it runs.", losses, (*JOB, "loss"))
    trained = [(who, progress) for who, progress in rows if progress.get("num_epochs")]
    yield _gauge(
        "job_progress_ratio",
        "How much of the training is done, from 0 to 1.",
        [(who, share_done(progress)) for who, progress in trained],
        JOB,
    )
    yield _gauge(
        "job_samples_per_second",
        "How fast it trains.",
        [(who, progress["samples_per_s"]) for who, progress in trained if "samples_per_s" in progress],
        JOB,
    )


def _gauge(
    name: str, help_text: str, rows: Iterable[tuple[tuple[str, ...], float]], labels: tuple[str, ...] = ()
) -> Metric:
    family = GaugeMetricFamily(f"fusionq_{name}", help_text, labels=labels)
    for values, number in rows:
        family.add_metric(values, float(number))
    return family
