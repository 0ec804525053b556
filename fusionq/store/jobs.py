"""The records of jobs: every move of a job is one method here, and one script in Redis."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis.client import NEVER_DECODE

from fusionq.spec.failures import WORKER_LOST, counter_of
from fusionq.spec.record import JobRecord, members_text
from fusionq.spec.states import Outcome
from fusionq.spec.stops import CANCEL, CANCEL_NOW
from fusionq.store import finding, keys
from fusionq.store.blobs import is_stored
from fusionq.store.connection import Client
from fusionq.store.packing import pack, unpack
from fusionq.store.scripts import Scripts
from fusionq.store.spec_change import SpecChange


class Jobs:
    """All jobs in one Redis. A move that lost its race returns False; only outages raise."""

    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._redis = client
        self._scripts = scripts

    # --- moves ---------------------------------------------------------------------------------

    def submit(
        self,
        job_id: str,
        spec: Mapping[str, Any],
        fields: Mapping[str, str | int],
        *,
        unique: bool = False,
        token: str = "",
    ) -> str:
        """Put a new job into its queue, and return its id; '' where the id is taken.

        Where it is to be `unique` and one of the same digest has not ended, nothing is stored and the id is
        that one's. With the same `token` it may be called again where its answer was lost: the job is one.
        Raises BlobGoneError where a blob that the fields point to is not stored any more.
        """
        flat = [part for pair in fields.items() for part in pair]
        token = token or uuid.uuid4().hex
        answer = self._scripts.run("submit", job_id, pack(spec), token, int(unique), *flat)
        return answer if is_stored(answer) else ""

    def recover(
        self,
        job_id: str,
        spec: Mapping[str, Any],
        fields: Mapping[str, str],
        *,
        outcome: Outcome | None,
        reason: str,
        wait_s: float = 0.0,
    ) -> bool:
        """Put a job back that Redis has lost: ended, or to go on in so many seconds. False where it is there.

        Raises BlobGoneError where a blob that the fields point to is not stored any more.
        """
        flat = [part for pair in fields.items() for part in pair]
        answer = self._scripts.run("recover", job_id, pack(spec), outcome or "", reason, _ms(wait_s), *flat)
        return is_stored(answer)

    def assign(
        self,
        job_id: str,
        worker: str,
        gpus: Sequence[int],
        start_within_s: float,
        members: Iterable[tuple[str, Sequence[int]]] = (),
    ) -> int:
        """Reserve a slot and GPUs of a worker for a queued job, and of each of its other workers.

        Returns the attempt; 0: there is no room on one of them, and nothing is reserved.
        """
        numbers, others = ",".join(map(str, gpus)), members_text(members)
        return self._scripts.run("assign", job_id, worker, numbers, _ms(start_within_s), others)

    def start(self, job_id: str, attempt: int, lease_s: float, run_dir: str, worker: str = "") -> bool:
        """Begin an attempt that `worker` was assigned. False for a message that is doubled, late or stale."""
        return self._scripts.run("start", job_id, attempt, _ms(lease_s), run_dir, worker) == 1

    def renew(self, attempts: Sequence[tuple[str, int]], lease_s: float, worker: str = "") -> list[str]:
        """Renew what `worker` holds, as (job id, attempt). Answers: '', what to stop for, or 'lost'."""
        flat = [part for attempt in attempts for part in attempt]
        return self._scripts.run("renew", _ms(lease_s), worker, *flat) if flat else []

    def finish(
        self,
        job_id: str,
        attempt: int,
        outcome: Outcome,
        reason: str,
        result: Mapping[str, Any] | None = None,
        *,
        failure: str = "",
    ) -> bool:
        """End a running attempt for good and free what it held. `failure` is the class of what failed."""
        told = json.dumps(result or {})
        return self._scripts.run("finish", job_id, attempt, outcome, reason, told, failure) == 1

    def requeue(
        self, job_id: str, attempt: int, reason: str, *, delay_s: float = 0.0, failure: str = ""
    ) -> bool:
        """Give an assigned or running attempt back to its queue. With a failure it counts as a loss."""
        counter = counter_of(failure) if failure else ""
        return self._scripts.run("requeue", job_id, attempt, reason, _ms(delay_s), failure, counter) == 1

    def cancel(self, job_id: str, reason: str, *, now: bool = False) -> str:
        """Cancel a job: 'cancelled' at once, 'asked' where it runs, or 'finished' where it is too late.

        One that runs saves its state first, unless it is to be gone `now`.
        """
        word = CANCEL_NOW if now else CANCEL
        answer = self._scripts.run("cancel", job_id, reason, keys.stop_channel(""), word)
        if answer == "missing":
            raise finding.unknown(job_id)
        return answer

    def retry(self, job_id: str, *, fresh: bool = False, change: SpecChange | None = None) -> str:
        """Queue a job that has ended once more: 'retried', 'active' where it has not ended, or 'succeeded'.

        It goes on from its last state; `fresh` begins anew, and does so where it had succeeded, too. Jobs
        that failed because of it stay failed; retry them after it. With a `change` one that had succeeded
        goes on, or the answer is 'changed' where somebody else was faster. Raises NotFoundError, and
        UsageError where a job before it did not succeed.
        """
        changed = change.to_args() if change else []
        answer, parent = self._scripts.run("retry", job_id, int(fresh), *changed)
        if answer == "missing":
            raise finding.unknown(job_id)
        if answer == "after":
            raise finding.kept_by(job_id, parent)
        return answer

    def edit(self, job_id: str, change: SpecChange) -> str:
        """Give a job that was never started another spec.

        Returns 'edited', or why not: 'finished', 'started', 'assigned' (it is about to start) or 'changed'
        (somebody else was faster). Raises NotFoundError.
        """
        answer = self._scripts.run("edit", job_id, *change.to_args())
        if answer == "missing":
            raise finding.unknown(job_id)
        return answer

    def hold(self, reference: str, reason: str) -> Counter[str]:
        """Keep a job, or all trials of a sweep, from running until it is let go. One that runs stops first.

        Counts 'held', 'asked' (it runs, and was told), 'already' and 'finished'. Raises NotFoundError.
        """
        return self._each("hold", reference, reason, keys.stop_channel(""))

    def release(self, reference: str) -> Counter[str]:
        """Let a job go, or all trials of a sweep: 'released', 'free' or 'finished'. Raises NotFoundError."""
        return self._each("let_go", reference)

    def set_priority(self, reference: str, priority: int) -> Counter[str]:
        """Another place in the queue: 'changed' or 'finished', counted. Raises NotFoundError."""
        return self._each("set_priority", reference, priority)

    def _each(self, script: str, reference: str, *args: str | int) -> Counter[str]:
        answers = Counter(self._scripts.run(script, reference, *args))
        if answers["missing"]:
            raise finding.unknown(reference)
        return answers

    def promote(self) -> int:
        """Let jobs go on whose time has come, or end where it is over; those that nobody started go back."""
        return self._scripts.run("promote")

    def expired(self) -> list[tuple[str, int]]:
        """Running jobs whose lease ran out: (id, attempt)."""
        flat = self._scripts.run("expired")
        return [(flat[i], int(flat[i + 1])) for i in range(0, len(flat), 2)]

    def first_lease_ends_in(self) -> float | None:
        """Seconds until the first lease ends, below 0 where it is over; None where there is none."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.zrange(keys.LEASES, 0, 0, withscores=True)
        pipe.time()
        first, (seconds, micros) = pipe.execute()
        return first[0][1] / 1000 - (seconds + micros / 1e6) if first else None

    def reap(
        self, job_id: str, attempt: int, *, delay_s: float | None, reason: str, failure: str = WORKER_LOST
    ) -> str:
        """Take an expired attempt from its worker: 'requeued', 'failed', or '' where it was renewed.

        It comes to its queue after `delay_s` seconds, or with None not again.
        """
        delay = "" if delay_s is None else _ms(delay_s)
        return self._scripts.run("reap", job_id, attempt, delay, reason, failure, counter_of(failure))

    # --- notes on a running job (a view; the attempt is checked by whoever writes) ---------------

    def note_progress(self, job_id: str, progress: Mapping[str, Any]) -> None:
        self._redis.hset(keys.job(job_id), "progress", json.dumps(progress))

    def note_warning(self, job_id: str, warning: str) -> None:
        self._redis.hset(keys.job(job_id), "warning", warning)

    # --- reading -------------------------------------------------------------------------------

    def get(self, job_id: str) -> JobRecord:
        """The record of a job. Raises NotFoundError."""
        return JobRecord.from_hash(job_id, self.fields(job_id))

    def fields(self, job_id: str) -> dict[str, str]:
        """The record of a job as Redis holds it. Raises NotFoundError."""
        stored = self._redis.hgetall(keys.job(job_id))
        if "status" not in stored:
            raise finding.unknown(job_id)
        return stored

    def known(self, job_ids: Iterable[str]) -> set[str]:
        """Those of the jobs that have a record."""
        ids = list(job_ids)
        pipe = self._redis.pipeline(transaction=False)
        for job_id in ids:
            pipe.hexists(keys.job(job_id), "status")
        return {job_id for job_id, is_known in zip(ids, pipe.execute(), strict=True) if is_known}

    def get_many(self, job_ids: Iterable[str]) -> list[JobRecord]:
        """Records in the given order; ids without one are left out."""
        ids = list(job_ids)
        pipe = self._redis.pipeline(transaction=False)
        for job_id in ids:
            pipe.hgetall(keys.job(job_id))
        found = zip(ids, pipe.execute(), strict=True)
        return [JobRecord.from_hash(job_id, stored) for job_id, stored in found if "status" in stored]

    def newest(self, count: int) -> list[JobRecord]:
        """The last `count` jobs that were submitted, oldest first."""
        ids = self._redis.zrevrange(keys.JOBS, 0, count - 1) if count > 0 else []
        return self.get_many(reversed(ids))

    def count(self) -> int:
        return self._redis.zcard(keys.JOBS)

    def spec(self, job_id: str) -> dict[str, Any]:
        """The resolved job file. Raises NotFoundError."""
        return unpack(self.packed_spec(job_id))

    def packed_spec(self, job_id: str) -> bytes:
        """Returns the resolved job file as Redis holds it. Raises NotFoundError."""
        stored = self._redis.execute_command("GET", keys.spec(job_id), **{NEVER_DECODE: True})
        if stored is None:
            raise finding.unknown(job_id)
        return stored

    def find(self, reference: str) -> str:
        """The id that `reference` means: an id, a prefix of one, a name, or 'last'. It may be a sweep's."""
        return finding.find(self._redis, reference)

    def find_job(self, reference: str) -> str:
        """The same for a job alone. Raises UsageError where a sweep is meant."""
        return finding.find_job(self._redis, reference)

    def active(self) -> list[JobRecord]:
        """Assigned and running jobs, those that were assigned last at the end."""
        ids = {
            job_id for index in (keys.ASSIGNED, keys.LEASES) for job_id in self._redis.zrange(index, 0, -1)
        }
        return sorted(self.get_many(ids), key=lambda record: (record.assigned_at, record.sequence))

    def pending(self, limit: int = 200) -> list[JobRecord]:
        """Queued jobs by priority and submission, at most `limit` of each lane."""
        pipe = self._redis.pipeline(transaction=False)
        for lane in self._redis.smembers(keys.LANES):
            pipe.zrange(keys.pending(lane), 0, limit - 1)
        records = self.get_many(job_id for ids in pipe.execute() for job_id in ids)
        return sorted(records, key=lambda record: (-record.priority, record.sequence))

    def has_pending(self) -> bool:
        """Whether anything waits to be planned or to be started."""
        return bool(self._redis.exists(keys.LANES, keys.WAITING, keys.ASSIGNED))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
