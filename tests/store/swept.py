"""Sweeps as the store sees them, with as little in their records as it needs."""

from __future__ import annotations

from fusionq.spec.states import Outcome
from fusionq.store.store import Store
from fusionq.store.sweeps import trial_id
from tests.support import register, running


def submit_sweep(
    store: Store,
    sweep_id: str,
    total: int,
    *,
    name: str = "swept",
    max_parallel: int | str = "",
    after: str = "",
    digest: str = "",
) -> list[str]:
    """A new sweep. Returns the ids of its trials."""
    fields = {"name": name, "queue": "default", "priority": 0, "after": after}
    ids = [trial_id(sweep_id, index) for index in range(1, total + 1)]
    trials = [(job_id, {"name": name, "trial": job_id}, fields) for job_id in ids]
    own = {"max_parallel": max_parallel, "digest": digest}
    assert store.sweeps.submit(sweep_id, {"name": name}, {**fields, **own}, trials)
    return ids


def end(store: Store, job_id: str, outcome: Outcome = Outcome.SUCCEEDED, **result: object) -> None:
    """Run a queued trial to its end."""
    register(store, slots=1000)
    assert store.jobs.finish(job_id, running(store, job_id), outcome, str(outcome), result)


def statuses(store: Store, sweep_id: str) -> str:
    """The first letter of every trial's status, in order."""
    return "".join(record.status[0] for record in store.sweeps.trials(sweep_id))
