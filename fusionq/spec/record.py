"""The record of a job: where it stands. It is what Redis holds of a job, read into one object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fusionq.spec.states import Outcome, Status


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
    losses: int = 0  # attempts lost through no fault that we know of; they count against retry.max
    queue: str = "default"
    priority: int = 0
    sequence: int = 0
    user: str = ""
    tags: tuple[str, ...] = ()
    gpus: str = "auto"
    assigned_gpus: tuple[int, ...] = ()
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

    @classmethod
    def from_hash(cls, job_id: str, stored: Mapping[str, str]) -> JobRecord:
        """Read the hash as Redis returns it. Fields that this version does not know are left out."""

        def text(key: str, default: str = "") -> str:
            return stored.get(key) or default

        def seconds(key: str) -> float:
            return int(text(key, "0")) / 1000

        return cls(
            id=job_id,
            name=text("name"),
            status=Status(stored["status"]),
            outcome=Outcome(stored["outcome"]) if stored.get("outcome") else None,
            reason=text("reason"),
            warning=text("warning"),
            attempt=int(text("attempt", "0")),
            losses=int(text("losses", "0")),
            queue=text("queue", "default"),
            priority=int(text("priority", "0")),
            sequence=int(text("sequence", "0")),
            user=text("user"),
            tags=tuple(json.loads(text("tags", "[]"))),
            gpus=text("gpus", "auto"),
            assigned_gpus=tuple(int(g) for g in text("assigned_gpus").split(",") if g),
            worker=text("worker"),
            host=text("host"),
            run_dir=text("run_dir"),
            workdir=text("workdir"),
            code=text("code"),
            diff=text("diff"),
            provenance=json.loads(text("provenance", "{}")),
            stop_requested=text("stop_requested"),
            submitted_at=seconds("submitted_at"),
            assigned_at=seconds("assigned_at"),
            started_at=seconds("started_at"),
            finished_at=seconds("finished_at"),
            due_at=seconds("due_at"),
            progress=json.loads(text("progress", "{}")),
            result=json.loads(text("result", "{}")),
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
