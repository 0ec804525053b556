"""Putting a job into the queue."""

from __future__ import annotations

import getpass
import json
import secrets
from functools import partial
from pathlib import Path

from fusionq.errors import FusionqError
from fusionq.queue.freezing import Frozen
from fusionq.queue.parents import resolve_model
from fusionq.queue.sender import Sender
from fusionq.spec.job import JobSpec
from fusionq.store.store import Store

# Without letters and digits that look alike; 8 of them are 10^12 ids.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH = 8


def submit(store: Store, sender: Sender, spec: JobSpec, workdir: Path, frozen: Frozen | None = None) -> str:
    """Store the job, ask for a scheduling pass, and return its id. Raises StoreUnavailableError.

    Once this returned the job is safe: it stands in Redis, and a lost message only delays it.
    """
    frozen = frozen or Frozen()
    spec = resolve_model(store, spec, workdir)
    fields: dict[str, str | int] = {
        "name": spec.name or "job",
        "queue": spec.queue,
        "priority": spec.priority,
        "gpus": str(spec.resources.gpus),
        "tags": json.dumps(spec.tags),
        "user": _user(),
        "workdir": str(workdir.absolute()),
        **frozen.fields,
    }
    job_id = _new_id()
    while not frozen.insist(partial(store.jobs.submit, job_id, spec.to_data(), fields)):
        job_id = _new_id()
    try:
        sender.ask_for_pass()
    except FusionqError:
        pass  # the job is stored; the workers' beat finds it
    return job_id


def _new_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
