"""What the store promises of jobs, as a model of a few lines of Python."""

from __future__ import annotations

from dataclasses import dataclass, field

from fusionq.spec.states import Outcome, Status

WORKERS = {"one": 1, "two": 2, "three": 3}  # how many slots each has


@dataclass
class Job:
    sequence: int
    priority: int = 0
    parents: tuple[str, ...] = ()
    need: str = "all"
    on_failure: str = "fail"
    status: Status = Status.QUEUED
    outcome: Outcome | None = None
    attempt: int = 0
    losses: int = 0
    worker: str = ""
    gpus: tuple[int, ...] = ()
    stop: str = ""
    is_held: bool = False
    is_delayed: bool = False  # it waits for a time
    has_started: bool = False
    hears: bool = False  # it waits for its parents
    is_overdue: bool = False  # its lease, or the time to start it, is over

    @property
    def is_placed(self) -> bool:
        return self.status in (Status.ASSIGNED, Status.RUNNING)

    def leave(self) -> None:
        self.worker, self.gpus, self.stop, self.is_overdue = "", (), "", False


@dataclass
class Model:
    jobs: dict[str, Job] = field(default_factory=dict)
    accepting: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(WORKERS, True))
    is_paused: bool = False

    def in_status(self, *statuses: Status) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job.status in statuses]

    def verdict(self, job: Job) -> str:
        """Whether a job may go, must wait, or can never go, as far as its parents say."""
        outcomes = [self.jobs[parent].outcome for parent in job.parents]
        good, going = outcomes.count(Outcome.SUCCEEDED), outcomes.count(None)
        bad = len(outcomes) - good - going
        if job.need == "any" and good:
            return "go"
        if job.on_failure != "run" and bad and (job.need == "all" or not going):
            return "never"
        return "wait" if going else "go"

    def admit(self, job: Job) -> None:
        is_kept = job.is_held or job.hears or job.is_delayed
        job.status = Status.WAITING if is_kept else Status.QUEUED

    def enter(self, job: Job) -> None:
        verdict = self.verdict(job)
        job.hears = verdict == "wait"
        if verdict == "never":
            self.follow(job)
        else:
            self.admit(job)

    def end(self, job: Job, outcome: Outcome) -> None:
        job.leave()
        job.status, job.outcome = Status.FINISHED, outcome
        job.is_held = job.is_delayed = job.hears = False
        for child in self.jobs.values():
            if child.hears and self.jobs[child.parents[0]] and job in map(self.jobs.get, child.parents):
                self.follow(child)

    def follow(self, job: Job) -> None:
        verdict = self.verdict(job)
        if verdict == "never":
            self.end(job, Outcome.CANCELLED if job.on_failure == "cancel" else Outcome.FAILED)
            return
        job.hears = verdict == "wait"
        self.admit(job)

    def has_room(self, worker: str, gpus: tuple[int, ...]) -> bool:
        there = [job for job in self.jobs.values() if job.is_placed and job.worker == worker]
        busy = {gpu for job in there for gpu in job.gpus}
        is_open = self.accepting[worker] and not self.is_paused
        return is_open and len(there) < WORKERS[worker] and busy.isdisjoint(gpus)
