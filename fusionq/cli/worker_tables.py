"""Workers and their GPUs as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from fusionq.cli.bars import bar, can_draw
from fusionq.cli.tables import print_table
from fusionq.spec.units import format_bytes, format_duration
from fusionq.store.workers import WorkerRecord

HEADERS = ("NAME", "HOST", "STATE", "SLOTS", "DEVICES", "QUEUES", "LABELS", "JOBS", "SEEN", "VERSION")
MAY_GO = ("VERSION", "HOST", "QUEUES", "LABELS")
GPU_HEADERS = ("WORKER", "GPU", "KIND", "DRIVER", "MEMORY", "", "USE", "TEMP", "JOBS", "NOTE")
GPU_MAY_GO = ("DRIVER", "TEMP")


def print_workers(workers: Sequence[WorkerRecord], now: float) -> None:
    """A line for each, at this moment by Redis's clock; of a narrow terminal the less needed columns go."""
    print_table(HEADERS, worker_cells(workers, now), may_go=MAY_GO)


def print_gpus(workers: Sequence[WorkerRecord]) -> None:
    """A line for each GPU of a living worker, as its last heartbeat told."""
    if rows := gpu_cells(workers):
        click.echo()
        print_table(GPU_HEADERS, rows, may_go=GPU_MAY_GO)


def worker_cells(workers: Sequence[WorkerRecord], now: float) -> list[list[str]]:
    return [_row(worker, now) for worker in workers]


def gpu_cells(workers: Sequence[WorkerRecord]) -> list[list[str]]:
    return [_gpu_row(worker, gpu) for worker in workers if worker.is_alive for gpu in worker.gpus]


def _row(worker: WorkerRecord, now: float) -> list[str]:
    kinds = Counter(gpu["name"] for gpu in worker.gpus)
    times = "×" if can_draw() else "x"
    devices = ", ".join(f"{count} {times} {kind}" if count > 1 else kind for kind, count in kinds.items())
    return [
        worker.name,
        worker.host,
        worker.state_word if worker.is_alive else click.style(worker.state_word, fg="red"),
        f"{len(worker.jobs)}/{worker.slots}",
        devices or "CPU",
        ",".join(worker.queues),
        " ".join(worker.labels),
        " ".join(worker.jobs),
        format_duration(max(0.0, now - worker.seen_at)),
        worker.version,
    ]


def _gpu_row(worker: WorkerRecord, gpu: Mapping[str, Any]) -> list[str]:
    index, memory = gpu["index"], gpu.get("memory_bytes", 0)
    reading = worker.readings.get(index, {})
    used, use, temperature = (reading.get(key) for key in ("used_bytes", "use", "temperature"))
    return [
        worker.name,
        str(index),
        gpu.get("name", ""),
        worker.driver,
        bar(used / memory) if used is not None and memory else "",
        f"{format_bytes(used)} of {format_bytes(memory)}" if used is not None else "",
        f"{bar(use / 100, 4)} {use:3} %" if use is not None else "",
        f"{temperature} °C" if temperature is not None else "",
        " ".join(worker.gpu_jobs.get(index, ())),
        _note(gpu),
    ]


def _note(gpu: Mapping[str, Any]) -> str:
    if gpu.get("blocked"):
        return f"{click.style('kept from jobs', fg='red')}: {gpu['blocked']}"
    return f"others use {format_bytes(gpu['foreign_bytes'])}" if gpu.get("foreign_bytes") else ""
