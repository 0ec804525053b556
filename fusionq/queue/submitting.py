"""Putting jobs and sweeps into the queue."""

from __future__ import annotations

import getpass
import json
import secrets
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from fusionq.errors import FusionqError
from fusionq.queue.freezing import Frozen
from fusionq.queue.parents import Parents
from fusionq.queue.sender import Sender
from fusionq.spec.job import JobSpec
from fusionq.spec.trials import Trial
from fusionq.store.store import Store
from fusionq.store.sweeps import trial_id

# Without letters and digits that look alike; 8 of them are 10^12 ids.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH = 8

Fields = dict[str, str | int]


def submit(store: Store, sender: Sender, spec: JobSpec, workdir: Path, frozen: Frozen | None = None) -> str:
    """Store the job, ask for a scheduling pass, and return its id. Raises StoreUnavailableError.

    Once this returned the job is safe: it stands in Redis, and a lost message only delays it.
    """
    frozen = frozen or Frozen()
    spec = Parents(store, workdir).resolve(spec)
    data, fields = spec.to_data(), {**_fields(spec, workdir), **frozen.fields}
    job_id = _under_new_id(lambda new_id: frozen.insist(partial(store.jobs.submit, new_id, data, fields)))
    _ask_for_pass(sender)
    return job_id


def submit_sweep(
    store: Store,
    sender: Sender,
    spec: JobSpec,
    trials: Sequence[Trial],
    workdir: Path,
    frozen: Frozen | None = None,
) -> str:
    """The same for all trials of a sweep, or for none of them; `spec` is the job with its sweep."""
    frozen = frozen or Frozen()
    parents = Parents(store, workdir)
    ready: list[tuple[int, dict[str, Any], Fields]] = []
    for trial in trials:
        resolved = parents.resolve(trial.spec)
        own: Fields = {"params": json.dumps(trial.params), **frozen.fields}
        ready.append((trial.index, resolved.to_data(), {**_fields(resolved, workdir), **own}))
    data = parents.resolve(spec).to_data()
    fields = {**_sweep_fields(spec, trials, workdir), **frozen.fields}

    def put(sweep_id: str) -> bool:
        named = [(trial_id(sweep_id, index), spec, fields) for index, spec, fields in ready]
        return frozen.insist(partial(store.sweeps.submit, sweep_id, data, fields, named))

    sweep_id = _under_new_id(put)
    _ask_for_pass(sender)
    return sweep_id


def _fields(spec: JobSpec, workdir: Path) -> Fields:
    return {
        "name": spec.name or "job",
        "queue": spec.queue,
        "priority": spec.priority,
        "gpus": str(spec.resources.gpus),
        "gpu_memory": spec.resources.gpu_memory or "",
        "tags": json.dumps(spec.tags),
        "user": _user(),
        "workdir": str(workdir.absolute()),
        "after": ",".join(spec.after),
    }


def _sweep_fields(spec: JobSpec, trials: Sequence[Trial], workdir: Path) -> Fields:
    assert spec.sweep is not None
    keys = dict.fromkeys(key for trial in trials for key in trial.params)
    return {
        **_fields(spec, workdir),
        "method": spec.sweep.method,
        "max_parallel": spec.sweep.max_parallel or "",
        "params": json.dumps(list(keys)),
    }


def _under_new_id(put: Callable[[str], bool]) -> str:
    job_id = _new_id()
    while not put(job_id):
        job_id = _new_id()
    return job_id


def _ask_for_pass(sender: Sender) -> None:
    try:
        sender.ask_for_pass()
    except FusionqError:
        pass  # the job is stored; the workers' beat finds it


def _new_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


@cache
def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
