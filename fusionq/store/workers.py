"""The registry of workers: who is alive, what they have, and what of it is free."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fusionq.errors import NotFoundError
from fusionq.spec.failures import counter_of
from fusionq.spec.stops import DRAIN
from fusionq.store import keys
from fusionq.store.connection import Client
from fusionq.store.scripts import Scripts

RECORD_STAYS_MS = 86_400_000


@dataclass(frozen=True)
class WorkerRecord:
    """A worker as Redis knows it. `gpus` are as its heartbeat reported them."""

    name: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    slots: int
    accepting: bool
    gpus: tuple[dict[str, Any], ...]
    jobs: tuple[str, ...]
    busy_gpus: tuple[int, ...]
    seen_at: float
    is_alive: bool
    shared_gpus: Mapping[int, int] = field(default_factory=dict)  # bytes that are taken, by GPU
    token: str = ""  # another in each life of a worker
    stop: str = ""  # what it was asked to leave by
    machine: str = ""  # where its process number means it
    life: str = ""  # its process
    quarantine: str = ""  # why it takes nothing for now
    problem: str = ""  # such as a full disk, for which it takes nothing as long as it lasts
    is_holding: bool = False  # Redis has lost the jobs that run there, which stand still
    succeeded_at: float = 0.0  # when a job last succeeded there
    gpu_jobs: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # who has which of its GPUs
    readings: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)  # what its GPUs do, by number
    driver: str = ""  # of its GPUs
    labels: tuple[str, ...] = ()  # such as site=berlin
    cpus: int = 0  # cores; 0: it does not say
    memory: int = 0  # bytes of the host's memory
    clock_ahead_s: float | None = None  # of its machine's clock before that of Redis; None: it does not say

    @property
    def state_word(self) -> str:
        """One word for people."""
        if not self.is_alive:
            return "silent"
        if self.stop:
            return "draining" if self.stop == DRAIN else "stopping"
        if self.is_holding:
            return "holding"
        if self.quarantine:
            return "quarantined"
        if self.problem:
            return "no room"
        return "ready" if self.accepting else "starting"

    @property
    def free_slots(self) -> int:
        return max(0, self.slots - len(self.jobs))

    @property
    def free_gpus(self) -> tuple[int, ...]:
        return tuple(gpu["index"] for gpu in self.gpus if gpu["index"] not in self.busy_gpus)

    @property
    def gpu_memory(self) -> dict[int, int]:
        """The bytes that each GPU has in all."""
        return {gpu["index"]: gpu.get("memory_bytes", 0) for gpu in self.gpus}


class Workers:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._redis = client
        self._scripts = scripts

    def register(self, name: str, token: str, holds_s: float, fields: Mapping[str, str | int]) -> bool:
        """A heartbeat. False where another living worker has the name."""
        flat = [part for pair in fields.items() for part in pair]
        return self._scripts.run("register", name, token, round(holds_s * 1000), RECORD_STAYS_MS, *flat) == 1

    def unregister(self, name: str, token: str) -> bool:
        return self._scripts.run("unregister", name, token) == 1

    def stop(self, name: str, word: str) -> bool:
        """Ask a worker to leave, by a word of `spec.stops`. False where no such worker lives."""
        return self._scripts.run("stop_worker", name, word, keys.stop_channel("")) == 1

    def asked_to(self, name: str, token: str) -> str:
        """What a worker in this life of it was asked to leave by; '' for nothing."""
        stop, owner = self._redis.hmget(keys.worker(name), "stop", "token")
        return stop or "" if owner == token else ""

    def set_slots(self, name: str, number: int) -> None:
        """Ask a worker for another number of slots, for this life of it. Raises NotFoundError."""
        if not self._scripts.run("set_slots", name, number, keys.stop_channel("")):
            self.find(name)

    def slots_wanted(self, name: str, token: str) -> int | None:
        """How many slots a worker in this life of it was asked for; None where nobody did."""
        wanted, owner = self._redis.hmget(keys.worker(name), "slots_wanted", "token")
        return int(wanted) if wanted and owner == token else None

    def quarantine(self, name: str, token: str, reason: str, victims: Iterable[tuple[str, int, str]]) -> int:
        """A worker out of order takes nothing more, and what failed there goes back, no retry used up.

        `victims`: id, attempt and class of the failure. Returns how many went back.
        """
        flat = [
            part for job_id, attempt, failure in victims for part in (job_id, attempt, counter_of(failure))
        ]
        return self._scripts.run("quarantine", name, token, reason, *flat)

    def resume(self, name: str) -> bool:
        """End a quarantine. False where there was none. Raises NotFoundError."""
        answer = self._scripts.run("resume_worker", name)
        if answer < 0:
            self.find(name)
        return answer == 1

    def is_quarantined(self, name: str) -> bool:
        return bool(self._redis.hexists(keys.worker(name), "quarantine"))

    def has_jobs(self, name: str) -> bool:
        """Whether anything is assigned to a worker or runs there."""
        return bool(self._redis.exists(keys.worker_jobs(name)))

    def find(self, name: str) -> WorkerRecord:
        """A living worker. Raises NotFoundError."""
        alive = self.alive()
        for worker in alive:
            if worker.name == name:
                return worker
        names = [worker.name for worker in alive]
        if not names:
            raise NotFoundError("no worker is alive", hint="start one: fusionq worker")
        raise NotFoundError(f"no worker {name!r} is alive", hint=f"alive are: {', '.join(names)}")

    def alive(self) -> list[WorkerRecord]:
        """Workers whose heartbeat holds, by name."""
        return [worker for worker in self.all() if worker.is_alive]

    def all(self) -> list[WorkerRecord]:
        """Workers that registered and neither left nor stayed silent for a day, by name."""
        now_ms = self._now_ms()
        names = sorted(self._redis.zrange(keys.WORKERS, 0, -1, withscores=True))
        pipe = self._redis.pipeline(transaction=False)
        for name, _ in names:
            pipe.hgetall(keys.worker(name))
            pipe.smembers(keys.worker_jobs(name))
            pipe.hgetall(keys.worker_gpus(name))
        answers = pipe.execute()
        rows = zip(names, answers[0::3], answers[1::3], answers[2::3], strict=True)
        return [
            _record(name, stored, jobs, gpus, alive_until >= now_ms)
            for (name, alive_until), stored, jobs, gpus in rows
            if stored
        ]

    def forget_silent(self) -> None:
        """Take off the list the workers whose record expired."""
        for name in self._redis.zrangebyscore(keys.WORKERS, "-inf", self._now_ms() - RECORD_STAYS_MS):
            self._redis.zrem(keys.WORKERS, name)

    def _now_ms(self) -> int:
        seconds, micros = self._redis.time()
        return seconds * 1000 + micros // 1000


def _record(
    name: str, stored: Mapping[str, str], jobs: set[str], gpus: Mapping[str, str], is_alive: bool
) -> WorkerRecord:
    return WorkerRecord(
        name=name,
        host=stored.get("host", ""),
        pid=int(stored.get("pid", 0)),
        version=stored.get("version", ""),
        queues=tuple(json.loads(stored.get("queues", "[]"))),
        slots=int(stored.get("slots", 0)),
        accepting=stored.get("accepting") == "1",
        gpus=tuple(json.loads(stored.get("gpus", "[]"))),
        jobs=tuple(sorted(jobs)),
        busy_gpus=tuple(sorted(int(gpu) for gpu in gpus if gpu.isdecimal())),
        seen_at=int(stored.get("seen_at", 0)) / 1000,
        is_alive=is_alive,
        token=stored.get("token", ""),
        stop=stored.get("stop", ""),
        machine=stored.get("machine", ""),
        life=stored.get("life", ""),
        quarantine=stored.get("quarantine", ""),
        problem=stored.get("problem", ""),
        is_holding=stored.get("holding") == "1",
        succeeded_at=int(stored.get("succeeded_at", 0)) / 1000,
        gpu_jobs={int(gpu): holders(names) for gpu, names in gpus.items() if gpu.isdecimal()},
        readings={int(gpu): it for gpu, it in json.loads(stored.get("readings", "{}")).items()},
        driver=stored.get("driver", ""),
        labels=tuple(json.loads(stored.get("labels", "[]"))),
        cpus=int(stored.get("cpus", 0)),
        memory=int(stored.get("memory", 0)),
        clock_ahead_s=_clock_ahead(stored),
        shared_gpus={
            int(gpu): sum(held) for gpu, names in gpus.items() if gpu.isdecimal() and (held := shares(names))
        },
    )


def _clock_ahead(stored: Mapping[str, str]) -> float | None:
    """Its own time at the last heartbeat, less that of Redis."""
    if "clock" not in stored:
        return None
    return round(float(stored["clock"]) - int(stored.get("seen_at", 0)) / 1000, 3)


def holders(text: str) -> tuple[str, ...]:
    """The ids of the jobs that hold a GPU, or a share of it."""
    return tuple(holder.partition(":")[0] for holder in text.split(","))


def shares(holders: str) -> list[int]:
    """The bytes of each job that shares a GPU; [] where one has it to itself."""
    return [int(share) for holder in holders.split(",") if (share := holder.partition(":")[2])]
