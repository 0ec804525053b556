"""Random sequences of moves, compared after each with a model of a few lines of Python.

The choices are weighted by hand: most are legal where the job stands, so that every status is reached often.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest

from fusionq.spec.states import LEGAL_MOVES, Outcome, Status
from fusionq.store import keys
from fusionq.store.store import Store
from tests.support import register, submit, wait_until

NUM_STEPS = 700
MAX_JOBS = 12
MAX_LOSSES = 1
FAR_S = 1000.0
SOON_S = 0.01
WORKERS = {"one": 1, "two": 2, "three": 3}
NUM_GPUS = 3


@dataclass
class Job:
    priority: int
    sequence: int
    status: Status = Status.QUEUED
    outcome: Outcome | None = None
    attempt: int = 0
    losses: int = 0
    worker: str = ""
    gpus: tuple[int, ...] = ()
    is_overdue: bool = False  # its lease, its assignment or its waiting has run out
    stop: str = ""
    is_held: bool = False
    is_delayed: bool = False  # it waits for a time that does not come in this test

    def holds(self) -> bool:
        return self.status in (Status.ASSIGNED, Status.RUNNING)

    def end(self, outcome: Outcome) -> None:
        self.status, self.outcome, self.stop, self.is_held = Status.FINISHED, outcome, "", False

    def go_back(self, to: Status = Status.QUEUED) -> None:
        self.status, self.worker, self.gpus, self.stop = to, "", (), ""
        self.is_delayed = False
        if self.is_held:
            self.status = Status.WAITING


@dataclass
class Model:
    jobs: dict[str, Job] = field(default_factory=dict)
    accepting: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(WORKERS, True))

    def in_status(self, *statuses: Status) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job.status in statuses]

    def on(self, worker: str) -> dict[str, Job]:
        return {job_id: job for job_id, job in self.jobs.items() if job.holds() and job.worker == worker}

    def has_room(self, worker: str, gpus: tuple[int, ...]) -> bool:
        there = self.on(worker).values()
        busy = {gpu for job in there for gpu in job.gpus}
        return self.accepting[worker] and len(there) < WORKERS[worker] and busy.isdisjoint(gpus)


class Play:
    """Makes a random move in the store and the same move in the model, and compares the answers."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.model = Model()
        self.random = Random(seed)
        for name in WORKERS:
            self.beat(name)

    def step(self) -> None:
        often = [self.submit, self.assign, self.assign, self.start, self.start, self.requeue, self.promote]
        seldom = [self.submit_again, self.accept, self.renew, self.finish, self.cancel, self.reap, self.retry]
        seldom += [self.hold, self.release]
        self.random.choice(2 * often + seldom)()

    def is_likely(self) -> bool:
        return self.random.random() < 0.8

    def pick(self, *statuses: Status) -> tuple[str, Job]:
        """Mostly a job that stands in one of these places."""
        fitting = self.model.in_status(*statuses) if self.is_likely() else []
        job_id = self.random.choice(fitting or list(self.model.jobs))
        return job_id, self.model.jobs[job_id]

    def pick_attempt(self, *statuses: Status) -> tuple[str, Job, int, bool]:
        """A job, mostly its own attempt, and whether that attempt may move from these places."""
        job_id, job = self.pick(*statuses)
        offset = 0 if self.is_likely() else self.random.choice([-1, 1])
        return job_id, job, job.attempt + offset, offset == 0 and job.status in statuses

    def deadline_s(self) -> float:
        return FAR_S if self.is_likely() else 0

    # --- the moves -----------------------------------------------------------------------------------

    def submit(self) -> None:
        sequence = len(self.model.jobs)
        if len(self.model.jobs) - len(self.model.in_status(Status.FINISHED)) < MAX_JOBS:
            priority = self.random.choice([-1, 0, 1])
            submit(self.store, f"j{sequence}", priority=priority)
            self.model.jobs[f"j{sequence}"] = Job(priority, sequence)

    def submit_again(self) -> None:
        job_id, _ = self.pick(*Status)
        assert not self.store.jobs.submit(job_id, {}, {"name": "x", "queue": "q", "priority": 0})

    def accept(self) -> None:
        worker = self.random.choice(list(WORKERS))
        self.model.accepting[worker] = self.is_likely()
        self.beat(worker)

    def beat(self, worker: str) -> None:
        accepting = self.model.accepting[worker]
        register(self.store, worker, slots=WORKERS[worker], gpus=range(NUM_GPUS), accepting=accepting)

    def assign(self) -> None:
        job_id, job = self.pick(Status.QUEUED)
        worker = self.random.choice(list(WORKERS))
        gpus = tuple(sorted(self.random.sample(range(NUM_GPUS), self.random.choice([0, 1, 2]))))
        start_within_s = self.deadline_s()
        answer = self.store.jobs.assign(job_id, worker, gpus, start_within_s)
        if job.status != Status.QUEUED or not self.model.has_room(worker, gpus):
            assert answer == 0
            return
        job.attempt += 1
        job.status, job.worker, job.gpus, job.is_overdue = Status.ASSIGNED, worker, gpus, start_within_s == 0
        assert answer == job.attempt

    def start(self) -> None:
        job_id, job, attempt, is_legal = self.pick_attempt(Status.ASSIGNED)
        lease_s = self.deadline_s()
        assert self.store.jobs.start(job_id, attempt, lease_s, "") == is_legal
        if is_legal:
            job.status, job.is_overdue = Status.RUNNING, lease_s == 0

    def renew(self) -> None:
        job_id, job, attempt, is_legal = self.pick_attempt(Status.RUNNING)
        lease_s = self.deadline_s()
        assert self.store.jobs.renew([(job_id, attempt)], lease_s) == [job.stop if is_legal else "lost"]
        if is_legal:
            job.is_overdue = lease_s == 0

    def finish(self) -> None:
        job_id, job, attempt, is_legal = self.pick_attempt(Status.RUNNING)
        outcome = self.random.choice(list(Outcome))
        assert self.store.jobs.finish(job_id, attempt, outcome, "") == is_legal
        if is_legal:
            job.end(outcome)

    def requeue(self) -> None:
        delay_s = self.random.choice([0, SOON_S, FAR_S])
        is_loss = not self.is_likely()
        places = (Status.ASSIGNED, Status.RUNNING)
        job_id, job, attempt, is_legal = self.pick_attempt(*places)
        delay_s = FAR_S if job.is_held and delay_s else delay_s
        answer = self.store.jobs.requeue(job_id, attempt, "", delay_s=delay_s, counts_as_loss=is_loss)
        assert answer == is_legal
        if is_legal and job.stop == "cancel":
            job.end(Outcome.CANCELLED)
        elif is_legal:
            job.go_back(Status.WAITING if delay_s else Status.QUEUED)
            job.losses += is_loss
            job.is_overdue = delay_s == SOON_S
            job.is_delayed = delay_s == FAR_S

    def cancel(self) -> None:
        job_id, job = self.pick(self.random.choice(list(Status)))
        answer = self.store.jobs.cancel(job_id, "")
        if job.status == Status.FINISHED:
            assert answer == "finished"
        elif job.status == Status.RUNNING:
            assert answer == "asked"
            job.stop = "cancel"
        else:
            assert answer == "cancelled"
            job.end(Outcome.CANCELLED)

    def promote(self) -> None:
        waiting = [self.model.jobs[job_id] for job_id in self.waiting_for_a_time()]
        placed = [self.model.jobs[job_id] for job_id in self.model.in_status(Status.ASSIGNED)]
        self.await_delays(sum(job.is_overdue for job in waiting))
        due = [job for job in waiting + placed if job.is_overdue]
        assert self.store.jobs.promote() == len(due)
        for job in due:
            job.go_back()

    def waiting_for_a_time(self) -> list[str]:
        return [
            job_id for job_id in self.model.in_status(Status.WAITING) if not self.model.jobs[job_id].is_held
        ]

    def hold(self) -> None:
        job_id, job = self.pick(self.random.choice(list(Status)))
        if job.status == Status.WAITING and job.is_overdue:
            return  # its time may come before it is released
        [answer] = self.store.jobs.hold(job_id, "held")
        if job.status == Status.FINISHED or job.is_held:
            assert answer == ("finished" if job.status == Status.FINISHED else "already")
            return
        job.is_held = True
        if job.status == Status.RUNNING:
            assert answer == "asked"
            job.stop = job.stop or "requeue"
        else:
            assert answer == "held"
            is_delayed = job.status == Status.WAITING and job.is_delayed
            job.go_back()
            job.is_delayed = is_delayed

    def release(self) -> None:
        held = [job_id for job_id, job in self.model.jobs.items() if job.is_held]
        job_id = self.random.choice(held or list(self.model.jobs))
        job = self.model.jobs[job_id]
        [answer] = self.store.jobs.release(job_id)
        if job.status == Status.FINISHED or not job.is_held:
            assert answer == ("finished" if job.status == Status.FINISHED else "free")
            return
        assert answer == "released"
        job.is_held = False
        if job.status == Status.WAITING:
            job.status = Status.WAITING if job.is_delayed else Status.QUEUED

    def await_delays(self, count: int) -> None:
        """Delays are a few milliseconds by Redis's clock, and the model knows no time."""

        def is_over() -> bool:
            seconds, micros = self.store.redis.time()
            return self.store.redis.zcount(keys.WAITING, "-inf", seconds * 1000 + micros // 1000) == count

        wait_until(is_over, what="the end of the delays")

    def reap(self) -> None:
        job_id, job, attempt, is_legal = self.pick_attempt(Status.RUNNING)
        answer = self.store.jobs.reap(job_id, attempt, delay_s=0, max_losses=MAX_LOSSES, reason="lost")
        if not is_legal or not job.is_overdue:
            assert answer == ""
        elif job.stop == "cancel":
            assert answer == "failed"
            job.end(Outcome.CANCELLED)
        elif job.losses >= MAX_LOSSES:
            assert answer == "failed"
            job.losses += 1
            job.end(Outcome.FAILED)
        else:
            assert answer == "requeued"
            job.losses += 1
            job.go_back()

    def retry(self) -> None:
        job_id, job = self.pick(Status.FINISHED)
        fresh = not self.is_likely()
        answer = self.store.jobs.retry(job_id, fresh=fresh)
        if job.status != Status.FINISHED:
            assert answer == "active"
        elif job.outcome == Outcome.SUCCEEDED and not fresh:
            assert answer == "succeeded"
        else:
            assert answer == "retried"
            job.go_back()
            job.outcome, job.losses = None, 0

    # --- what must hold after each -------------------------------------------------------------------

    def check_records(self) -> None:
        records = self.store.jobs.get_many(self.model.jobs)
        assert len(records) == len(self.model.jobs)
        for record in records:
            job = self.model.jobs[record.id]
            assert (record.status, record.outcome) == (job.status, job.outcome)
            assert (record.attempt, record.losses, record.stop_requested) == (
                job.attempt,
                job.losses,
                job.stop,
            )
            if job.holds():
                assert (record.worker, record.assigned_gpus) == (job.worker, job.gpus)

    def check_lists(self) -> None:
        for key, status in (
            (keys.ASSIGNED, Status.ASSIGNED),
            (keys.LEASES, Status.RUNNING),
        ):
            assert sorted(self.store.redis.zrange(key, 0, -1)) == sorted(self.model.in_status(status))
        assert sorted(self.store.redis.zrange(keys.WAITING, 0, -1)) == sorted(self.waiting_for_a_time())
        queued = [(job_id, self.model.jobs[job_id]) for job_id in self.model.in_status(Status.QUEUED)]
        in_order = sorted(queued, key=lambda pair: (-pair[1].priority, pair[1].sequence))
        assert [record.id for record in self.store.jobs.pending()] == [job_id for job_id, _ in in_order]
        overdue = {
            job_id for job_id in self.model.in_status(Status.RUNNING) if self.model.jobs[job_id].is_overdue
        }
        assert {job_id for job_id, _, _ in self.store.jobs.expired()} == overdue

    def check_workers(self) -> None:
        for worker in self.store.workers.alive():
            there = self.model.on(worker.name)
            assert worker.jobs == tuple(sorted(there))
            assert worker.busy_gpus == tuple(sorted(gpu for job in there.values() for gpu in job.gpus))


def moves_made(store: Store) -> set[tuple[str, str]]:
    """Every change of state that was recorded."""
    at: dict[str, str] = {}
    made = set()
    for _, event in store.redis.xrange(keys.EVENTS):
        made.add((at.get(event["job"], ""), event["status"]))
        at[event["job"]] = event["status"]
    return made


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_moves_keeps_every_promise(store: Store, seed: int):
    play = Play(store, seed)
    play.submit()
    for _ in range(NUM_STEPS):
        play.step()
        play.check_records()
        play.check_lists()
        play.check_workers()
    legal = {(start, end) for start, ends in LEGAL_MOVES.items() for end in ends}
    assert set(moves_made(store)) == legal | {("", "queued"), ("finished", "queued")}, (
        "every legal move was made, and no other"
    )
