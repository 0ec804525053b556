"""Following a sweep to its end: a line for each trial that is over."""

from __future__ import annotations

from collections.abc import Callable

from fusionq.cli.words import coloured, duration, say
from fusionq.client.wait import wait_for_jobs
from fusionq.spec.params import params_text
from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.store.store import Store


def follow_sweep(store: Store, sweep_id: str, check: Callable[[], None] = lambda: None) -> SweepRecord:
    """Tell of each trial once it is over; returns the last record of the sweep.

    `check` is called every few seconds where nothing changes, and may raise. Raises StoreUnavailableError
    after a minute without Redis.
    """
    wait_for_jobs(store, store.sweeps.trial_ids(sweep_id), tell=_tell_end, check=check)
    return store.sweeps.get(sweep_id)


def _tell_end(trial: JobRecord) -> None:
    say(f"{coloured(trial.state_word)} {trial.id}  {_came_of_it(trial)}  {params_text(trial.params)}")


def _came_of_it(trial: JobRecord) -> str:
    best = trial.result.get("best_value")
    value = f"{trial.result['monitor']} {best:.4g}  " if isinstance(best, float) else ""
    return f"{value}{duration(trial)}" if trial.started_at else trial.reason
