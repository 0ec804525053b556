"""Jobs in every state, put into the store as workers would."""

from __future__ import annotations

from typing import Any

from fusionq.spec.load import from_yaml
from fusionq.spec.states import Outcome
from fusionq.store.store import Store
from tests.support import ONE_JOB, register, running


def queued(store: Store, job_id: str, *, name: str = "tiny", **fields: Any) -> str:
    spec = from_yaml(ONE_JOB).to_data()
    assert store.jobs.submit(
        job_id, spec, {"name": name, "queue": "default", "priority": 0, "gpus": "auto", **fields}
    )
    return job_id


def started(store: Store, job_id: str, **fields: Any) -> str:
    queued(store, job_id, **fields)
    register(store, slots=100)
    running(store, job_id)
    return job_id


def finished(
    store: Store,
    job_id: str,
    outcome: Outcome = Outcome.SUCCEEDED,
    *,
    reason: str = "",
    result: dict[str, Any] | None = None,
    text: str = "",
    failure: str = "",
    **fields: Any,
) -> str:
    started(store, job_id, **fields)
    if text:
        print_(store, job_id, text)
    assert store.jobs.finish(job_id, 1, outcome, reason, result, failure=failure)
    return job_id


def print_(store: Store, job_id: str, text: str, *, start: int = 0, attempt: int = 1) -> None:
    """The job prints."""
    store.streams.append_log(job_id, attempt, start, start + len(text.encode()), text)


def serving(store: Store, name: str = "w", *, slots: int = 1) -> None:
    """A worker that serves the default queue."""
    fields = {
        "host": "box",
        "pid": 7,
        "slots": slots,
        "accepting": 1,
        "queues": '["default"]',
        "gpus": "[]",
    }
    assert store.workers.register(name, "t", 60, fields)
