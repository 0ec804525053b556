"""Putting jobs and sweeps into the queue."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from fusionq.errors import FusionqError, StoreUnavailableError
from fusionq.queue.freezing import Frozen
from fusionq.queue.parents import Parents
from fusionq.queue.sender import Sender
from fusionq.spec.after import section_of
from fusionq.spec.job import JobSpec, ResourcesSection
from fusionq.spec.overrides import overridden
from fusionq.spec.record import JobRecord
from fusionq.spec.secrets import mask_value
from fusionq.spec.times import parse_time
from fusionq.spec.trials import Trial
from fusionq.spec.users import user_name
from fusionq.store.need import Need, need_of, needs_text
from fusionq.store.store import Store
from fusionq.store.sweeps import trial_id

ANSWER_S = 10.0  # how long an answer that was lost on the way is asked for
RETRY_S = 0.2

# Without letters and digits that look alike; 8 of them are 10^12 ids.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH = 8

Fields = dict[str, str | int]
_CHANGEABLE = (
    "name",
    "queue",
    "priority",
    "gpus",
    "gpu_memory",
    "needs",
    "tags",
    "due_at",
    "wait_timeout",
    "notify",
)
_OF_NO_TRIAL = ("notify", "digest")
"""Fields that the record of a sweep has for all its trials."""


class Placed(NamedTuple):
    """Where a submission is now. A twin was there before it, and nothing new was stored."""

    id: str
    is_twin: bool = False


def submit(
    store: Store,
    sender: Sender,
    spec: JobSpec,
    workdir: Path,
    frozen: Frozen | None = None,
    params: Mapping[str, Any] | None = None,
) -> Placed:
    """Store the job, ask for a scheduling pass, and return its id. Raises StoreUnavailableError.

    `params` is what overrides changed in its file, for people who look at its results.

    Once this returned the job is safe: it stands in Redis, and a lost message only delays it.
    """
    frozen = frozen or Frozen()
    parents = Parents(store, workdir)
    spec = at_its_moment(store, parents.resolve(spec))
    data = spec.to_data()
    fields = {**_fields(spec, workdir, parents.source_id(spec)), **frozen.fields}
    fields["digest"] = _digest(data, fields)
    if params:
        fields["params"] = json.dumps(params)

    def put(job_id: str, token: str) -> str:
        return frozen.insist(
            partial(store.jobs.submit, job_id, data, fields, unique=spec.unique, token=token)
        )

    placed = _under_new_id(put)
    _ask_for_pass(sender)
    return placed


def submit_sweep(
    store: Store,
    sender: Sender,
    spec: JobSpec,
    trials: Sequence[Trial],
    workdir: Path,
    frozen: Frozen | None = None,
) -> Placed:
    """The same for all trials of a sweep, or for none of them; `spec` is the job with its sweep."""
    frozen = frozen or Frozen()
    parents = Parents(store, workdir)
    ready: list[tuple[int, dict[str, Any], Fields]] = []
    for trial in trials:
        resolved = at_its_moment(store, parents.resolve(trial.spec))
        fields = _fields(resolved, workdir, parents.source_id(resolved))
        fields.pop("notify", None)
        shown = {key: mask_value(key, value) for key, value in trial.params.items()}
        own: Fields = {"params": json.dumps(shown), **frozen.fields}
        ready.append((trial.index, resolved.to_data(), {**fields, **own}))
    data = parents.resolve(spec).to_data()
    fields = {**_sweep_fields(spec, trials, workdir), **frozen.fields}
    fields["digest"] = _digest(data, fields)

    def put(sweep_id: str, token: str) -> str:
        named = [(trial_id(sweep_id, index), spec, fields) for index, spec, fields in ready]
        return frozen.insist(
            partial(store.sweeps.submit, sweep_id, data, fields, named, unique=spec.unique, token=token)
        )

    placed = _under_new_id(put)
    _ask_for_pass(sender)
    return placed


def at_its_moment(store: Store, spec: JobSpec) -> JobSpec:
    """What `not_before` says is a moment from now on, whenever the spec is read again."""
    if spec.not_before is None:
        return spec
    now = datetime.fromtimestamp(store.now(), UTC)
    moment = parse_time(spec.not_before, now).isoformat(timespec="milliseconds")
    return spec.model_copy(update={"not_before": moment})


def _digest(data: Mapping[str, Any], fields: Fields) -> str:
    """What two submissions of the same work have in common, whoever makes them and when."""
    spec = {key: value for key, value in data.items() if key not in ("unique", "not_before", "hold")}
    work = json.dumps([spec, fields["workdir"], fields.get("code", "")], sort_keys=True)
    return hashlib.sha256(work.encode()).hexdigest()[:32]


def _fields(spec: JobSpec, workdir: Path, source_id: str = "") -> Fields:
    return {
        "name": spec.name or "job",
        "queue": spec.queue,
        "priority": spec.priority,
        "gpus": str(spec.resources.gpus_to_get()),
        "gpu_memory": spec.resources.gpu_memory or "",
        **_needs(spec.resources),
        "tags": json.dumps(spec.tags),
        "user": user_name(),
        "workdir": str(workdir.absolute()),
        **_gates(spec, source_id),
        **_notices(spec),
    }


def need_of_spec(spec: JobSpec) -> Need:
    """Returns what a job will ask of a worker."""
    fields = _fields(spec, Path())
    return need_of(
        json.dumps([fields.get(key, "") for key in ("queue", "user", "gpus", "gpu_memory", "needs")])
    )


def changed_fields(
    record: JobRecord, before: JobSpec, spec: JobSpec, overridden_now: Mapping[str, Any]
) -> Fields:
    """Returns what differs in a record with another spec than before; '' for what it no longer asks.

    `overridden_now` is what overrides set in making the new one.
    """
    workdir = Path(record.workdir)
    old, new = _fields(before, workdir), _fields(spec, workdir)
    fields = {name: new.get(name, "") for name in _CHANGEABLE if new.get(name, "") != old.get(name, "")}
    fields["digest"] = _digest(spec.to_data(), {"workdir": record.workdir, "code": record.code})
    params = {**_params_now(record, before, spec), **({} if record.sweep else overridden_now)}
    if params != record.params:
        fields["params"] = json.dumps(params)
    return {name: value for name, value in fields.items() if not (record.sweep and name in _OF_NO_TRIAL)}


def _params_now(record: JobRecord, before: JobSpec, spec: JobSpec) -> dict[str, Any]:
    """Returns what a record says of the values of its sweep, or of overrides, as they are in the new spec."""
    asked = [f"{key}=" for key in record.params]
    old, new = overridden(asked, before.to_data()), overridden(asked, spec.to_data())
    return {key: shown if old.get(key) == new.get(key) else new[key] for key, shown in record.params.items()}


def _needs(resources: ResourcesSection) -> Fields:
    needs = needs_text(
        gpu_type=resources.gpu_type,
        labels=resources.labels,
        cpus=None if resources.cpus == "auto" else resources.cpus,
        memory=resources.memory,
        nodes=resources.nodes,
    )
    return {"needs": needs} if needs else {}


def _gates(spec: JobSpec, source_id: str) -> Fields:
    """What keeps a job back; nothing of it stands in the record of one that goes at once."""
    fields: Fields = {"held": f"held by {user_name()}"} if spec.hold else {}
    if after := section_of(spec.after):
        fields |= {"after": ",".join(after.jobs), "after_need": after.need, "after_failure": after.on_failure}
    if source_id:
        fields["model_from"] = source_id
    if spec.not_before is not None:
        fields["due_at"] = round(parse_time(spec.not_before, datetime.now(UTC)).timestamp() * 1000)
    if spec.wait_timeout is not None:
        fields["wait_timeout"] = round(spec.wait_timeout * 1000)
    return fields


def _notices(spec: JobSpec) -> Fields:
    """Of what each address is to hear; of a sweep, its own end and not that of each trial."""
    return {"notify": json.dumps([one.on for one in spec.notify])} if spec.notify else {}


def _sweep_fields(spec: JobSpec, trials: Sequence[Trial], workdir: Path) -> Fields:
    assert spec.sweep is not None
    keys = dict.fromkeys(key for trial in trials for key in trial.params)
    return {
        **_fields(spec, workdir),
        "method": spec.sweep.method,
        "max_parallel": spec.sweep.max_parallel or "",
        "params": json.dumps(list(keys)),
    }


def _under_new_id(put: Callable[[str, str], str]) -> Placed:
    while True:
        job_id, token = _new_id(), secrets.token_hex(16)
        if placed := _until_answered(partial(put, job_id, token), job_id):
            return Placed(placed, is_twin=placed != job_id)


def _until_answered(put: Callable[[], str], job_id: str) -> str:
    """Repeats a submission that may have been stored without an answer, so that nobody queues it again.

    Raises StoreUnavailableError, with the id that it may have, where Redis stays away.
    """
    deadline = time.monotonic() + ANSWER_S
    may_be_stored = False
    while True:
        try:
            return put()
        except StoreUnavailableError as error:
            may_be_stored = may_be_stored or error.is_lost
            if not may_be_stored:
                raise
            if time.monotonic() > deadline:
                raise _maybe_stored(error, job_id) from error
            time.sleep(RETRY_S)


def _maybe_stored(error: StoreUnavailableError, job_id: str) -> StoreUnavailableError:
    hint = f"it may be queued as {job_id}: look with `fusionq status {job_id}` before you submit again"
    return StoreUnavailableError(error.message, hint=hint)


def _ask_for_pass(sender: Sender) -> None:
    try:
        sender.ask_for_pass()
    except FusionqError:
        pass  # the job is stored; the workers' beat finds it


def _new_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
