"""Jobs, sweeps, workers and queues as `--json` prints them: one vocabulary, and nothing internal.

The form is described by `fusionq.client.json_schema`, whose version changes with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.spec.states import Status
from fusionq.store.workers import WorkerRecord

View = dict[str, Any]


def view_of(record: JobRecord | SweepRecord, waits_for: str = "") -> View:
    """Returns a job or a sweep. `waits_for` says why it is still queued."""
    return view_of_sweep(record) if isinstance(record, SweepRecord) else view_of_job(record, waits_for)


def view_of_job(record: JobRecord, waits_for: str = "") -> View:
    return {
        "kind": "job",
        "id": record.id,
        "name": record.name,
        "state": record.state_word,
        "outcome": _word(record.outcome),
        "reason": record.reason,
        "waits_for": waits_for if record.status is Status.QUEUED else "",
        "held_by": record.held,
        "stop_requested": record.stop_requested,
        "warning": record.warning,
        "failure": record.failure,
        "attempt": record.attempt,
        "losses": record.losses,
        "losses_by_class": dict(record.losses_by),
        "queue": record.queue,
        "priority": record.priority,
        "user": record.user,
        "tags": list(record.tags),
        "sweep": record.sweep or None,
        "params": record.params,
        "after": list(record.after),
        "after_need": record.after_need,
        "after_failure": record.after_failure,
        "model_from": record.model_from or None,
        "gpus": _number_or_auto(record.gpus),
        "gpu_memory_bytes": record.gpu_memory,
        "needs": json.loads(record.needs or "{}"),
        "worker": record.worker or None,
        "host": record.host or None,
        "assigned_gpus": list(record.assigned_gpus),
        "members": [{"worker": name, "gpus": list(gpus)} for name, gpus in record.members],
        "run_dir": record.run_dir or None,
        "workdir": record.workdir,
        "code": record.code or None,
        "git": record.provenance or None,
        **_times(record),
        "assigned_at": _time(record.assigned_at),
        "due_at": _time(record.due_at),
        "wait_timeout_s": record.wait_timeout or None,
        "progress": record.progress or None,
        "result": record.result or None,
    }


def view_of_sweep(record: SweepRecord) -> View:
    best = {"trial": record.best_trial, "monitor": record.monitor, "mode": record.mode}
    return {
        "kind": "sweep",
        "id": record.id,
        "name": record.name,
        "state": record.state_word,
        "outcome": _word(record.outcome),
        "stop_requested": record.stop_requested,
        "queue": record.queue,
        "priority": record.priority,
        "user": record.user,
        "tags": list(record.tags),
        "workdir": record.workdir,
        "method": record.method,
        "max_parallel": record.max_parallel,
        "keys": list(record.params),
        "total": record.total,
        "counts": record.counts,
        "best": {**best, "value": record.best_value} if record.best_trial else None,
        **_times(record),
    }


def view_of_trial(record: JobRecord, params: Mapping[str, Any]) -> View:
    """Returns a job as `compare` shows it: what was changed, and what came of it."""
    result = record.result
    best = {key: result.get(key) for key in ("monitor", "mode")}
    is_known = isinstance(result.get("best_value"), int | float) and bool(result.get("monitor"))
    return {
        "id": record.id,
        "name": record.name,
        "state": record.state_word,
        "outcome": _word(record.outcome),
        "reason": record.reason,
        "params": dict(params),
        "best": {**best, "value": result["best_value"], "epoch": result.get("best_epoch")}
        if is_known
        else None,
        "duration_s": _duration_s(record),
    }


def view_of_worker(record: WorkerRecord) -> View:
    return {
        "name": record.name,
        "host": record.host,
        "pid": record.pid,
        "version": record.version,
        "state": record.state_word,
        "is_alive": record.is_alive,
        "quarantine": record.quarantine,
        "problem": record.problem,
        "queues": list(record.queues),
        "slots": record.slots,
        "free_slots": record.free_slots,
        "cpus": record.cpus or None,
        "memory_bytes": record.memory or None,
        "labels": dict(label.partition("=")[::2] for label in record.labels),
        "gpus": [_gpu(record, gpu) for gpu in record.gpus],
        "driver": record.driver or None,
        "jobs": list(record.jobs),
        "seen_at": _time(record.seen_at),
        "succeeded_at": _time(record.succeeded_at),
    }


def _gpu(record: WorkerRecord, gpu: Mapping[str, Any]) -> View:
    index = gpu["index"]
    return {
        **gpu,
        "jobs": list(record.gpu_jobs.get(index, ())),
        "reserved_bytes": record.shared_gpus.get(index, 0),
        "reading": dict(record.readings[index]) if index in record.readings else None,
    }


def _times(record: JobRecord | SweepRecord) -> View:
    return {
        "submitted_at": _time(record.submitted_at),
        "started_at": _time(record.started_at),
        "finished_at": _time(record.finished_at),
        "duration_s": _duration_s(record),
    }


def _duration_s(record: JobRecord | SweepRecord) -> float | None:
    """How long it ran, or has run; None before it began."""
    if not record.started_at:
        return None
    return round(max(0.0, (record.finished_at or time.time()) - record.started_at), 3)


def _time(seconds: float) -> str | None:
    """ISO 8601 in UTC; None for what has not been."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds") if seconds else None


def _word(outcome: object) -> str | None:
    return str(outcome) if outcome else None


def _number_or_auto(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
