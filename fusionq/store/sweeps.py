"""Sweeps: many jobs that are submitted, shown, cancelled and tried again as one."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.spec.stops import CANCEL, CANCEL_NOW
from fusionq.store import finding, keys
from fusionq.store.blobs import is_stored
from fusionq.store.bulk import CHUNK, chunks
from fusionq.store.connection import Client
from fusionq.store.jobs import Jobs
from fusionq.store.packing import pack
from fusionq.store.scripts import Scripts

STAGED_MS = 600_000  # what a client that died had written expires

Fields = Mapping[str, str | int]


class Cancelled(NamedTuple):
    """How many trials ended at once, and how many run and were asked to stop."""

    cancelled: int
    asked: int


class Sweeps:
    """All sweeps in one Redis. A trial is a job: `trial_id(sweep, k)`, counted from 1."""

    def __init__(self, client: Client, scripts: Scripts, jobs: Jobs) -> None:
        self._redis = client
        self._scripts = scripts
        self._jobs = jobs

    def submit(
        self,
        sweep_id: str,
        spec: Mapping[str, Any],
        fields: Fields,
        trials: Sequence[tuple[str, Mapping[str, Any], Fields]],
        *,
        unique: bool = False,
        token: str = "",
    ) -> str:
        """Queue all trials (id, spec, fields), or none of them. Returns an id as `Jobs.submit` does.

        The trials are written first, unseen and with an expiry; one script makes them real. Raises
        BlobGoneError where a blob that the fields point to is not stored any more.
        """
        token = token or uuid.uuid4().hex
        if not self._reserve(sweep_id, token):
            return ""
        self._stage(sweep_id, token, trials)
        flat = [token, len(trials), int(unique), *(part for pair in fields.items() for part in pair)]
        answer = self._scripts.run("submit_sweep", sweep_id, pack(spec), *flat)
        return answer if is_stored(answer) else ""

    def _reserve(self, sweep_id: str, token: str) -> bool:
        """Nobody else may write trials of this id."""
        if not self._redis.set(keys.staging(sweep_id), token, nx=True, px=STAGED_MS):
            return self._redis.get(keys.staging(sweep_id)) == token
        if not self._redis.exists(keys.sweep(sweep_id), keys.job(sweep_id)):
            return True
        self._redis.delete(keys.staging(sweep_id))
        # One that this very call has submitted already: the scripts know it again.
        return self._redis.hget(keys.sweep(sweep_id), "token") == token

    def _stage(
        self, sweep_id: str, token: str, trials: Iterable[tuple[str, Mapping[str, Any], Fields]]
    ) -> None:
        for chunk in chunks(trials, CHUNK):
            flat = [part for trial in chunk for part in _flat(*trial)]
            self._scripts.run("stage", sweep_id, token, STAGED_MS, *flat)

    def cancel(self, sweep_id: str, reason: str, *, now: bool = False) -> Cancelled:
        """Cancel every trial at one moment, so that none starts in the place of another."""
        self._ensure_exists(sweep_id)
        word = CANCEL_NOW if now else CANCEL
        answer = self._scripts.run("cancel_sweep", sweep_id, reason, keys.stop_channel(""), word)
        return Cancelled(*answer)

    def retry(self, sweep_id: str, *, fresh: bool = False) -> int:
        """Queue its trials that ended and did not succeed once more, as `Jobs.retry` does. Returns how many.

        `fresh` takes those that succeeded, too. Raises NotFoundError, and UsageError where a job before
        them did not succeed.
        """
        self._ensure_exists(sweep_id)
        count, parent = self._scripts.run("retry_sweep", sweep_id, int(fresh))
        if parent and not count:
            raise finding.kept_by(sweep_id, parent)
        return count

    # --- reading -------------------------------------------------------------------------------

    def exists(self, sweep_id: str) -> bool:
        return bool(self._redis.exists(keys.sweep(sweep_id)))

    def get(self, sweep_id: str) -> SweepRecord:
        """The record of a sweep. Raises NotFoundError."""
        stored = self._redis.hgetall(keys.sweep(sweep_id))
        if not stored:
            raise finding.unknown(sweep_id)
        return SweepRecord.from_hash(sweep_id, stored)

    def trials(self, sweep_id: str) -> list[JobRecord]:
        """The records of all trials, in their order. Raises NotFoundError."""
        return self._jobs.get_many(self.trial_ids(sweep_id))

    def trial_ids(self, sweep_id: str) -> list[str]:
        """Raises NotFoundError."""
        return [trial_id(sweep_id, index) for index in range(1, self.get(sweep_id).total + 1)]

    def best(self, sweep_id: str) -> JobRecord | None:
        """The trial with the best value so far, None where there is none (any more). Raises NotFoundError."""
        best = self.get(sweep_id).best_trial
        return next(iter(self._jobs.get_many([best] if best else [])), None)

    def _ensure_exists(self, sweep_id: str) -> None:
        if not self.exists(sweep_id):
            raise finding.unknown(sweep_id)


def trial_id(sweep_id: str, index: int) -> str:
    """The job id of a trial; `index` counts from 1."""
    return f"{sweep_id}-{index}"


def _flat(trial: str, spec: Mapping[str, Any], fields: Fields) -> list[str | bytes | int]:
    return [trial, pack(spec), len(fields), *(part for pair in fields.items() for part in pair)]
