"""What the workers of a job that trains on several tell each other, while it runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fusionq.store import keys
from fusionq.store.connection import Client
from fusionq.store.scripts import Scripts

_MEETING = "=meeting"  # no worker is called so
_ERROR = "=error"
_DONE = "=done:"


@dataclass(frozen=True)
class Gang:
    """`silent_s` says for how long each of the other workers has not been heard of."""

    meeting: str = ""  # where their processes find each other: host:port
    error: Mapping[str, Any] = field(default_factory=dict)  # why one of them failed: class and reason
    silent_s: Mapping[str, float] = field(default_factory=dict)
    done: frozenset[str] = frozenset()  # those of which nothing runs any more


class Gangs:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._redis = client
        self._scripts = scripts

    def join(self, job_id: str, attempt: int, worker: str) -> tuple[int, ...] | None:
        """The GPUs that a job has on this worker beside those of the first; None: it has no part in it."""
        gpus = self._scripts.run("join", job_id, attempt, worker)
        return None if gpus is None else tuple(int(gpu) for gpu in gpus.split(",") if gpu)

    def note_meeting(self, job_id: str, attempt: int, address: str) -> None:
        self._note(job_id, attempt, _MEETING, address)

    def note_error(self, job_id: str, attempt: int, failure: str, reason: str) -> None:
        self._note(job_id, attempt, _ERROR, json.dumps({"class": failure, "reason": reason}))

    def note_done(self, job_id: str, attempt: int, worker: str) -> None:
        self._note(job_id, attempt, _DONE + worker, "1")

    def ask_to_requeue(self, job_id: str, attempt: int) -> None:
        """The job as a whole saves its state and goes back to its queue."""
        self._scripts.run("ask_to_requeue", job_id, attempt, keys.stop_channel(""))

    def read(self, job_id: str) -> Gang:
        pipe = self._redis.pipeline(transaction=False)
        pipe.hgetall(keys.gang(job_id))
        pipe.time()
        stored, (seconds, micros) = pipe.execute()
        now = seconds + micros / 1e6
        return Gang(
            meeting=stored.get(_MEETING, ""),
            error=json.loads(stored.get(_ERROR, "{}")),
            silent_s={name: now - int(at) / 1000 for name, at in stored.items() if not name.startswith("=")},
            done=frozenset(name.removeprefix(_DONE) for name in stored if name.startswith(_DONE)),
        )

    def _note(self, job_id: str, attempt: int, key: str, value: str) -> None:
        self._scripts.run("note_gang", job_id, attempt, key, value)
