"""The record of a job or of a sweep: where it stands. What Redis holds of it, read into one object."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fusionq.errors import NotFoundError
from fusionq.spec.paths import RunPaths
from fusionq.spec.printable import printable, printable_data
from fusionq.spec.script_reasons import reason_text
from fusionq.spec.states import Outcome, Status

LOSSES_BY = "losses_by_"  # begins the fields that count the losses of one class
MOST_PRIORITY = 1000  # and as many below zero


@dataclass(frozen=True)
class JobRecord:
    """A job as Redis knows it. Times are seconds since 1970 by Redis's clock; 0 means not yet."""

    id: str
    name: str
    status: Status
    outcome: Outcome | None = None
    reason: str = ""
    warning: str = ""
    attempt: int = 0
    fresh_after: int = 0  # the last attempt whose state is not to be gone on from
    losses: int = 0  # attempts that were lost or failed and were tried again; they count against retry.max
    losses_by: dict[str, int] = field(default_factory=dict)  # the same by class of failure
    failure: str = ""  # the class of the last failure; see `fusionq.spec.failures`
    queue: str = "default"
    priority: int = 0
    sequence: int = 0
    user: str = ""
    tags: tuple[str, ...] = ()
    gpus: str = "auto"
    gpu_memory: int | None = None  # bytes of a GPU that it shares; None: it needs a GPU to itself
    needs: str = ""  # what else it needs of a worker; see `fusionq.store.need`
    assigned_gpus: tuple[int, ...] = ()
    members: tuple[tuple[str, tuple[int, ...]], ...] = ()  # other workers that train with it, and their GPUs
    worker: str = ""
    host: str = ""
    run_dir: str = ""
    workdir: str = ""
    code: str = ""  # the digest of the snapshot that it runs; empty: it runs the files as they are
    diff: str = ""  # the digest of how the code differed from its commit
    provenance: dict[str, Any] = field(default_factory=dict)  # commit, branch and dirty, where git knows
    stop_requested: str = ""
    submitted_at: float = 0.0
    assigned_at: float = 0.0
    started_at: float = 0.0
    finished_at: float = 0.0
    due_at: float = 0.0
    progress: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    sweep: str = ""  # the id of the sweep that it is a trial of
    params: dict[str, Any] = field(default_factory=dict)  # what a sweep or overrides changed in its file
    after: tuple[str, ...] = ()  # ids of the jobs and sweeps before it
    after_need: str = "all"  # whether all of them must succeed, or any one
    after_failure: str = "fail"  # what becomes of it where they do not
    model_from: str = ""  # the job whose model it takes
    held: str = ""  # who holds it, in words
    wait_timeout: float = 0.0  # seconds that it may wait for a worker; 0: for ever

    @property
    def paths(self) -> RunPaths:
        """Its run folder. Raises NotFoundError before it first starts."""
        if not self.run_dir:
            raise NotFoundError(f"{self.id} has not started yet, so it has no run folder")
        return RunPaths(Path(self.run_dir))

    @classmethod
    def from_hash(cls, job_id: str, stored: Mapping[str, str]) -> JobRecord:
        """Read the hash as Redis returns it. Fields that this version does not know are left out."""

        def text(key: str, default: str = "") -> str:
            return stored.get(key) or default

        def shown(key: str) -> str:
            return printable(text(key))  # whoever wrote it: a terminal will have it

        def seconds(key: str) -> float:
            return int(text(key, "0")) / 1000

        return cls(
            id=job_id,
            name=shown("name"),
            status=Status(stored["status"]),
            outcome=Outcome(stored["outcome"]) if stored.get("outcome") else None,
            reason=printable(reason_text(text("reason"))),
            warning=shown("warning"),
            attempt=int(text("attempt", "0")),
            fresh_after=int(text("fresh_after", "0")),
            losses=int(text("losses", "0")),
            losses_by={
                k.removeprefix(LOSSES_BY): int(v) for k, v in stored.items() if k.startswith(LOSSES_BY)
            },
            failure=text("failure"),
            queue=text("queue", "default"),
            priority=int(text("priority", "0")),
            sequence=int(text("sequence", "0")),
            user=shown("user"),
            tags=tuple(printable_data(json.loads(text("tags", "[]")))),
            gpus=text("gpus", "auto"),
            gpu_memory=int(text("gpu_memory", "0")) or None,
            needs=text("needs"),
            assigned_gpus=tuple(int(g) for g in text("assigned_gpus").split(",") if g),
            members=_members(text("members")),
            worker=text("worker"),
            host=shown("host"),
            run_dir=text("run_dir"),
            workdir=text("workdir"),
            code=text("code"),
            diff=text("diff"),
            provenance=printable_data(json.loads(text("provenance", "{}"))),
            stop_requested=text("stop_requested"),
            submitted_at=seconds("submitted_at"),
            assigned_at=seconds("assigned_at"),
            started_at=seconds("started_at"),
            finished_at=seconds("finished_at"),
            due_at=seconds("due_at"),
            progress=json.loads(text("progress", "{}")),
            result=json.loads(text("result", "{}")),
            sweep=text("sweep"),
            params=printable_data(json.loads(text("params", "{}"))),
            after=tuple(parent for parent in text("after").split(",") if parent),
            after_need=text("after_need", "all"),
            after_failure=text("after_failure", "fail"),
            model_from=text("model_from"),
            held=shown("held"),
            wait_timeout=seconds("wait_timeout"),
        )

    @property
    def is_finished(self) -> bool:
        return self.status is Status.FINISHED

    @property
    def state_word(self) -> str:
        """One word for people: the outcome once there is one, else the status."""
        return str(self.outcome or self.status)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def members_text(members: Iterable[tuple[str, Sequence[int]]]) -> str:
    """Other workers of a job and their GPUs as a record holds them: `other=0,1 third=`."""
    return " ".join(f"{worker}={','.join(map(str, gpus))}" for worker, gpus in members)


def _members(text: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    pairs = (part.rpartition("=")[::2] for part in text.split())
    return tuple((worker, tuple(int(gpu) for gpu in gpus.split(",") if gpu)) for worker, gpus in pairs)


_BEGUN = (Status.ASSIGNED, Status.RUNNING, *Outcome)


@dataclass(frozen=True)
class SweepRecord:
    """A sweep as Redis knows it. `counts` says how many trials are in each state, by its one word."""

    id: str
    name: str
    total: int
    method: str = "grid"
    max_parallel: int | None = None
    params: tuple[str, ...] = ()  # the keys that its trials change
    queue: str = "default"
    priority: int = 0
    sequence: int = 0
    user: str = ""
    tags: tuple[str, ...] = ()
    workdir: str = ""
    stop_requested: str = ""
    submitted_at: float = 0.0
    started_at: float = 0.0  # the first start of a trial
    finished_at: float = 0.0  # the last end of a trial, once all are over
    counts: dict[str, int] = field(default_factory=dict)
    mode: str = ""  # whether a smaller ("min") or a larger ("max") best value is better
    monitor: str = ""  # what their best values measure
    best_trial: str = ""
    best_value: float | None = None

    @classmethod
    def from_hash(cls, sweep_id: str, stored: Mapping[str, str]) -> SweepRecord:
        """Read the hash as Redis returns it."""

        def text(key: str, default: str = "") -> str:
            return stored.get(key) or default

        def shown(key: str) -> str:
            return printable(text(key))  # whoever wrote it: a terminal will have it

        counts = {word: int(stored[word]) for word in (*Status, *Outcome) if int(text(word, "0"))}
        total = int(text("total", "0"))
        is_over = sum(counts.get(word, 0) for word in Outcome) == total
        return cls(
            id=sweep_id,
            name=shown("name"),
            total=total,
            method=text("method", "grid"),
            max_parallel=int(text("max_parallel", "0")) or None,
            params=tuple(json.loads(text("params", "[]"))),
            queue=text("queue", "default"),
            priority=int(text("priority", "0")),
            sequence=int(text("sequence", "0")),
            user=shown("user"),
            tags=tuple(printable_data(json.loads(text("tags", "[]")))),
            workdir=text("workdir"),
            stop_requested=text("stop_requested"),
            submitted_at=int(text("submitted_at", "0")) / 1000,
            started_at=int(text("started_at", "0")) / 1000,
            finished_at=int(text("finished_at", "0")) / 1000 if is_over else 0.0,
            counts={str(word): count for word, count in counts.items()},
            mode=text("mode"),
            monitor=text("monitor"),
            best_trial=text("best_trial"),
            best_value=float(stored["best_value"]) if stored.get("best_value") else None,
        )

    def count(self, *words: str) -> int:
        """How many trials are in one of these states."""
        return sum(self.counts.get(word, 0) for word in words)

    @property
    def is_finished(self) -> bool:
        return self.count(*Outcome) == self.total

    @property
    def state_word(self) -> str:
        """One word for people. A sweep with a failed trial failed, but only once all are over."""
        if not self.is_finished:
            if self.count(*_BEGUN):
                return str(Status.RUNNING)
            return str(Status.QUEUED if self.count(Status.QUEUED) else Status.WAITING)
        return str(self.outcome)

    @property
    def outcome(self) -> Outcome | None:
        """How it ended, for the exit code of who waits for it."""
        if not self.is_finished:
            return None
        if self.count(Outcome.FAILED, Outcome.TIMED_OUT):
            return Outcome.FAILED
        return Outcome.CANCELLED if self.count(Outcome.CANCELLED) else Outcome.SUCCEEDED

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "state": self.state_word}
