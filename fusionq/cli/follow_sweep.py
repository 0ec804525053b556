"""Following a sweep to its end: a line for each trial that is over."""

from __future__ import annotations

import time
from collections.abc import Callable

from fusionq.cli.words import coloured, duration, say
from fusionq.client.patience import Patience
from fusionq.errors import StoreUnavailableError
from fusionq.spec.params import params_text
from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.store.store import Store

LOOK_S = 0.5


def follow_sweep(store: Store, sweep_id: str, check: Callable[[], None] = lambda: None) -> SweepRecord:
    """Tell of each trial once it is over; returns the last record of the sweep.

    `check` is called between looks, and may raise. Raises StoreUnavailableError after a minute without Redis.
    """
    told: set[str] = set()
    counts: dict[str, int] = {}
    patience = Patience()
    while True:
        try:
            record = store.sweeps.get(sweep_id)
            if record.counts != counts:
                counts = record.counts
                _tell_ends(store.sweeps.trials(sweep_id), told)
            patience.note_word()
            if record.is_finished:
                return record
        except StoreUnavailableError:
            if patience.is_over:
                raise
        check()
        time.sleep(LOOK_S)


def _tell_ends(trials: list[JobRecord], told: set[str]) -> None:
    for trial in trials:
        if trial.is_finished and trial.id not in told:
            told.add(trial.id)
            say(f"{coloured(trial.state_word)} {trial.id}  {_came_of_it(trial)}  {params_text(trial.params)}")


def _came_of_it(trial: JobRecord) -> str:
    best = trial.result.get("best_value")
    value = f"{trial.result['monitor']} {best:.4g}  " if isinstance(best, float) else ""
    return f"{value}{duration(trial)}" if trial.started_at else trial.reason
