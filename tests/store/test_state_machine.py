"""Every move of jobs, by several clients in any order, beside a model of a few lines of Python.

Hypothesis chooses the moves, and shortens what breaks a promise to the fewest that do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import fakeredis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fusionq.spec.states import FIRST_MOVES, LEGAL_MOVES, RETRY_MOVES, Outcome, Status
from fusionq.store import keys
from fusionq.store.connection import connect
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.spec_change import SpecChange
from fusionq.store.store import Store
from tests.support import assigned, end_of_time, register, running, submit

NUM_CLIENTS = 3
MAX_LOSSES = 1
FAR_S = 1000.0
WORKERS = {"one": 1, "two": 2, "three": 3}
NUM_GPUS = 3
RUN_DIR = "run-dir"

pick = st.integers(0, 10**6)
clients = st.integers(0, NUM_CLIENTS - 1)
workers = st.sampled_from(sorted(WORKERS))
mostly = st.sampled_from([0, 0, 0, 0, 1, -1])  # how far the number of an attempt is off


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


def stands(*statuses: Status) -> Callable[[Moves], bool]:
    """Whether any job is in one of these places: else a move would mostly be in vain."""
    return lambda moves: bool(moves.model.in_status(*statuses))


class Moves(RuleBasedStateMachine):
    """Each rule is one move of one client, and says what its answer must be."""

    stores: list[Store]

    def __init__(self) -> None:
        super().__init__()
        self.stores[0].redis.flushall()
        self.model = Model()
        self.ids = count()
        for name in WORKERS:
            self.beat(name)

    @property
    def store(self) -> Store:
        return self.stores[0]

    def beat(self, worker: str) -> None:
        accepting = self.model.accepting[worker]
        register(self.store, worker, slots=WORKERS[worker], gpus=range(NUM_GPUS), accepting=accepting)

    def choose(self, number: int, *statuses: Status) -> tuple[str, Job]:
        """Mostly a job that stands in one of these places."""
        fitting = self.model.in_status(*statuses) if number % 5 != 4 else []
        among = fitting or list(self.model.jobs)
        job_id = among[number % len(among)]
        return job_id, self.model.jobs[job_id]

    @initialize()
    def begin(self) -> None:
        self.submit(0, 0, [], "all", "fail", False)

    # --- people --------------------------------------------------------------------------------------

    @rule(
        client=clients,
        priority=st.integers(-1, 1),
        parents=st.lists(pick, max_size=2),
        need=st.sampled_from(["all", "any"]),
        on_failure=st.sampled_from(["fail", "cancel", "run"]),
        is_later=st.sampled_from([False, False, True]),
    )
    def submit(
        self, client: int, priority: int, parents: list[int], need: str, on_failure: str, is_later: bool
    ) -> None:
        names = dict.fromkeys(self.choose(number)[0] for number in parents if self.model.jobs)
        sequence = next(self.ids)
        job_id, job = f"j{sequence}", Job(sequence, priority, tuple(names), need, on_failure)
        job.is_delayed = is_later
        fields = {
            "name": job_id,
            "queue": "default",
            "priority": priority,
            "after": ",".join(names),
            "after_need": need,
            "after_failure": on_failure,
            "due_at": round((self.store.now() + FAR_S) * 1000) if is_later else 0,
        }
        store = self.stores[client]
        assert store.jobs.submit(job_id, {}, fields) == job_id
        assert store.jobs.submit(job_id, {}, fields) == "", "an id is given once"
        self.model.jobs[job_id] = job
        self.model.enter(job)

    @rule(client=clients, number=pick, status=st.sampled_from(Status))
    def cancel(self, client: int, number: int, status: Status) -> None:
        job_id, job = self.choose(number, status)
        answer = self.stores[client].jobs.cancel(job_id, "")
        if job.status is Status.FINISHED:
            assert answer == "finished"
        elif job.status is Status.RUNNING:
            assert answer == "asked"
            job.stop = "cancel"
        else:
            assert answer == "cancelled"
            self.model.end(job, Outcome.CANCELLED)

    @rule(client=clients, number=pick, status=st.sampled_from(Status))
    def hold(self, client: int, number: int, status: Status) -> None:
        job_id, job = self.choose(number, status)
        [answer] = self.stores[client].jobs.hold(job_id, "held")
        if job.status is Status.FINISHED:
            assert answer == "finished"
        elif job.is_held:
            assert answer == "already"
        elif job.status is Status.RUNNING:
            assert answer == "asked"
            job.is_held, job.stop = True, job.stop or "requeue"
        else:
            assert answer == "held"
            job.is_held = True
            job.leave()
            self.model.admit(job)

    @rule(client=clients, number=pick)
    def release(self, client: int, number: int) -> None:
        held = [job_id for job_id, job in self.model.jobs.items() if job.is_held] or list(self.model.jobs)
        job_id = held[number % len(held)]
        job = self.model.jobs[job_id]
        [answer] = self.stores[client].jobs.release(job_id)
        if job.status is Status.FINISHED:
            assert answer == "finished"
            return
        assert answer == ("released" if job.is_held else "free")
        was_held, job.is_held = job.is_held, False
        if was_held and job.status is Status.WAITING:
            self.model.admit(job)

    @rule(client=clients, pauses=st.sampled_from([True, False, False]))
    def pause_or_resume(self, client: int, pauses: bool) -> None:
        queues = self.stores[client].queues
        if pauses:
            queues.pause("default", "a while")
        else:
            assert queues.resume("default") == self.model.is_paused
        self.model.is_paused = pauses

    @precondition(stands(Status.RUNNING))
    @rule(client=clients)
    def clear(self, client: int) -> None:
        """What `queue pause --requeue` asks of those that run."""
        running = [self.model.jobs[job_id] for job_id in self.model.in_status(Status.RUNNING)]
        about_to = [self.model.jobs[job_id] for job_id in self.model.in_status(Status.ASSIGNED)]
        self.stores[client].queues.clear("default")
        for job in running:
            job.stop = job.stop or "requeue"
        for job in about_to:
            job.leave()
            job.is_delayed = False
            self.model.admit(job)

    @precondition(stands(Status.QUEUED))
    @rule(client=clients, number=pick, priority=st.integers(-2, 2))
    def set_priority(self, client: int, number: int, priority: int) -> None:
        job_id, job = self.choose(number, Status.QUEUED)
        is_over = job.status is Status.FINISHED
        [answer] = self.stores[client].jobs.set_priority(job_id, priority)
        assert answer == ("finished" if is_over else "changed")
        if not is_over:
            job.priority = priority

    @precondition(stands(Status.QUEUED, Status.WAITING))
    @rule(
        client=clients,
        number=pick,
        priority=st.integers(-2, 2),
        is_later=st.booleans(),
        is_read=st.booleans(),
    )
    def edit(self, client: int, number: int, priority: int, is_later: bool, is_read: bool) -> None:
        job_id, job = self.choose(number, Status.QUEUED, Status.WAITING)
        jobs = self.stores[client].jobs
        read = jobs.packed_spec(job_id) if is_read else b"another"
        due_at = round((self.store.now() + FAR_S) * 1000) if is_later else 0
        answer = jobs.edit(
            job_id, SpecChange(read, {"number": number}, {"priority": priority, "due_at": due_at})
        )
        if job.status is Status.FINISHED:
            assert answer == "finished"
        elif job.has_started:
            assert answer == "started"
        elif job.status is Status.ASSIGNED:
            assert answer == "assigned"
        elif not is_read:
            assert answer == "changed"
        else:
            assert (answer, jobs.spec(job_id)) == ("edited", {"number": number})
            job.priority, job.is_delayed, job.is_overdue = priority, is_later, False
            self.model.admit(job)

    @precondition(stands(Status.FINISHED))
    @rule(client=clients, number=pick, fresh=st.booleans())
    def retry(self, client: int, number: int, fresh: bool) -> None:
        job_id, job = self.choose(number, Status.FINISHED)
        if job.status is not Status.FINISHED:
            assert self.stores[client].jobs.retry(job_id, fresh=fresh) == "active"
        elif job.outcome is Outcome.SUCCEEDED and not fresh:
            assert self.stores[client].jobs.retry(job_id) == "succeeded"
        elif self.model.verdict(job) != "never":
            assert self.stores[client].jobs.retry(job_id, fresh=fresh) == "retried"
            job.outcome, job.losses = None, 0
            self.model.enter(job)

    # --- the planner and the workers ---------------------------------------------------------------------

    @precondition(stands(Status.QUEUED))
    @rule(client=clients, number=pick, worker=workers, gpus=st.sets(st.integers(0, NUM_GPUS - 1), max_size=2))
    def assign(self, client: int, number: int, worker: str, gpus: set[int]) -> None:
        job_id, job = self.choose(number, Status.QUEUED)
        wanted = tuple(sorted(gpus))
        answer = self.stores[client].jobs.assign(job_id, worker, wanted, FAR_S)
        if job.status is not Status.QUEUED or not self.model.has_room(worker, wanted):
            assert answer == 0
            return
        job.attempt += 1
        job.status, job.worker, job.gpus = Status.ASSIGNED, worker, wanted
        assert answer == job.attempt

    @precondition(stands(Status.ASSIGNED))
    @rule(client=clients, number=pick, off=mostly)
    def start(self, client: int, number: int, off: int) -> None:
        job_id, job = self.choose(number, Status.ASSIGNED)
        is_legal = off == 0 and job.status is Status.ASSIGNED
        assert self.stores[client].jobs.start(job_id, job.attempt + off, FAR_S, RUN_DIR) == is_legal
        if is_legal:
            job.status, job.is_overdue, job.has_started = Status.RUNNING, False, True

    @precondition(stands(Status.QUEUED))
    @rule(client=clients, number=pick)
    def run(self, client: int, number: int) -> None:
        """What mostly happens, so that much of it does."""
        for worker in WORKERS:
            if self.model.in_status(Status.QUEUED) and self.model.has_room(worker, ()):
                job_id, job = self.choose(5 * number, Status.QUEUED)
                job.attempt += 1
                job.status, job.worker, job.has_started = Status.RUNNING, worker, True
                assert self.stores[client].jobs.assign(job_id, worker, (), FAR_S) == job.attempt
                assert self.stores[client].jobs.start(job_id, job.attempt, FAR_S, RUN_DIR)

    @precondition(stands(Status.RUNNING))
    @rule(client=clients, number=pick, off=mostly)
    def renew(self, client: int, number: int, off: int) -> None:
        job_id, job = self.choose(number, Status.RUNNING)
        is_legal = off == 0 and job.status is Status.RUNNING
        answer = self.stores[client].jobs.renew([(job_id, job.attempt + off)], FAR_S)
        assert answer == [job.stop if is_legal else "lost"]
        if is_legal:
            job.is_overdue = False

    @precondition(stands(Status.RUNNING))
    @rule(client=clients, number=pick, off=mostly, outcome=st.sampled_from(Outcome))
    def finish(self, client: int, number: int, off: int, outcome: Outcome) -> None:
        job_id, job = self.choose(number, Status.RUNNING)
        is_legal = off == 0 and job.status is Status.RUNNING
        assert self.stores[client].jobs.finish(job_id, job.attempt + off, outcome, "") == is_legal
        if is_legal:
            self.model.end(job, outcome)

    @precondition(stands(Status.ASSIGNED, Status.RUNNING))
    @rule(client=clients, number=pick, off=mostly, is_later=st.booleans(), is_loss=st.booleans())
    def requeue(self, client: int, number: int, off: int, is_later: bool, is_loss: bool) -> None:
        job_id, job = self.choose(number, Status.ASSIGNED, Status.RUNNING)
        is_legal = off == 0 and job.is_placed
        delay_s = FAR_S if is_later else 0
        answer = self.stores[client].jobs.requeue(
            job_id, job.attempt + off, "", delay_s=delay_s, failure="crash" if is_loss else ""
        )
        assert answer == is_legal
        if not is_legal:
            return
        if job.stop == "cancel":
            self.model.end(job, Outcome.CANCELLED)
            return
        job.leave()
        job.losses += is_loss
        job.is_delayed = is_later
        self.model.admit(job)

    @rule(worker=workers, accepting=st.sampled_from([True, True, True, False]))
    def accept(self, worker: str, accepting: bool) -> None:
        self.model.accepting[worker] = accepting
        self.beat(worker)

    # --- time --------------------------------------------------------------------------------------------

    @precondition(stands(Status.RUNNING, Status.ASSIGNED, Status.WAITING))
    @rule(number=pick)
    def let_time_pass(self, number: int) -> None:
        """The lease of a job, the time to start it, or that which it waits for, is over."""
        job_id, job = self.choose(number, Status.RUNNING, Status.ASSIGNED, Status.WAITING)
        lists = {Status.RUNNING: keys.LEASES, Status.ASSIGNED: keys.ASSIGNED, Status.WAITING: keys.WAITING}
        key = lists.get(job.status)
        if key and self.store.redis.zscore(key, job_id) is not None:
            end_of_time(self.store, key, job_id)
            if job.status is Status.WAITING:
                self.store.redis.hset(keys.job(job_id), "due_at", 1)
                job.is_delayed = False
            job.is_overdue = True

    @rule(client=clients)
    def promote(self, client: int) -> None:
        due = [job for job in self.model.jobs.values() if job.is_overdue and job.status is not Status.RUNNING]
        assert self.stores[client].jobs.promote() == len(due)
        for job in due:
            job.leave()
            job.is_delayed = False
            self.model.admit(job)

    @precondition(stands(Status.RUNNING))
    @rule(client=clients, number=pick, off=mostly)
    def reap(self, client: int, number: int, off: int) -> None:
        job_id, job = self.choose(number, Status.RUNNING)
        answer = self.stores[client].jobs.reap(
            job_id, job.attempt + off, delay_s=None if job.losses >= MAX_LOSSES else 0, reason="lost"
        )
        if off or job.status is not Status.RUNNING or not job.is_overdue:
            assert answer == ""
        elif job.stop == "cancel":
            assert answer == "failed"
            self.model.end(job, Outcome.CANCELLED)
        else:
            self.model.accepting[job.worker] = False  # until its next heartbeat
            job.losses += 1
            if job.losses > MAX_LOSSES:
                assert answer == "failed"
                self.model.end(job, Outcome.FAILED)
            else:
                assert answer == "requeued"
                job.leave()
                job.is_delayed = False
                self.model.admit(job)

    # --- what must hold after each -----------------------------------------------------------------------

    @invariant()
    def every_record_says_what_the_model_says(self) -> None:
        for record in self.store.jobs.get_many(self.model.jobs):
            job = self.model.jobs[record.id]
            found = (record.status, record.outcome, record.attempt, record.losses, record.priority)
            assert found == (job.status, job.outcome, job.attempt, job.losses, job.priority)
            assert (record.stop_requested, bool(record.held)) == (job.stop, job.is_held)
            if job.is_placed:
                assert (record.worker, record.assigned_gpus) == (job.worker, job.gpus)

    @invariant()
    def every_list_holds_whom_it_should(self) -> None:
        redis, model = self.store.redis, self.model
        assert set(redis.zrange(keys.ASSIGNED, 0, -1)) == set(model.in_status(Status.ASSIGNED))
        assert set(redis.zrange(keys.LEASES, 0, -1)) == set(model.in_status(Status.RUNNING))
        overdue = {j for j in model.in_status(Status.RUNNING) if model.jobs[j].is_overdue}
        assert {job_id for job_id, _ in self.store.jobs.expired()} == overdue
        queued = [(job_id, model.jobs[job_id]) for job_id in model.in_status(Status.QUEUED)]
        in_order = sorted(queued, key=lambda pair: (-pair[1].priority, pair[1].sequence))
        assert [record.id for record in self.store.jobs.pending()] == [job_id for job_id, _ in in_order]

    @invariant()
    def every_worker_holds_what_runs_there(self) -> None:
        for worker in self.store.workers.alive():
            there = {
                j: job for j, job in self.model.jobs.items() if job.is_placed and job.worker == worker.name
            }
            assert set(worker.jobs) == set(there)
            assert sorted(worker.busy_gpus) == sorted(gpu for job in there.values() for gpu in job.gpus)

    @invariant()
    def who_waits_for_others_is_known_to_them(self) -> None:
        for job_id, job in self.model.jobs.items():
            heard = self.store.redis.smembers(keys.parents(job_id))
            assert heard == (set(job.parents) if job.hears else set())

    def teardown(self) -> None:
        assert moves_made(self.store) <= LEGAL


LEGAL = {
    (a, b) for table in (FIRST_MOVES, LEGAL_MOVES, RETRY_MOVES) for a, ends in table.items() for b in ends
}


def moves_made(store: Store) -> set[tuple[str, str]]:
    """Every change of state that was recorded."""
    at: dict[str, str] = {}
    made = set()
    for _, event in store.redis.xrange(keys.EVENTS):
        made.add((at.get(event["job"], ""), event["status"]))
        at[event["job"]] = event["status"]
    return made


def play(stores: list[Store], **how: Any) -> None:
    machine = type("Moves", (Moves,), {"stores": stores})
    checks = list(HealthCheck)
    run_state_machine_as_test(
        machine,
        settings=settings(
            deadline=None, derandomize=True, database=None, suppress_health_check=checks, **how
        ),
    )


def test_any_sequence_of_moves_keeps_every_promise():
    server = fakeredis.FakeServer()
    stores = [Store(fakeredis.FakeRedis(server=server, decode_responses=True)) for _ in range(NUM_CLIENTS)]
    play(stores, max_examples=8, stateful_step_count=30)


@pytest.fixture
def stores(redis_server: EmbeddedRedis) -> Iterator[list[Store]]:
    """Several clients of the real Redis."""
    stores = [Store(connect(redis_server.url), redis_server.url) for _ in range(NUM_CLIENTS)]
    yield stores
    for store in stores:
        store.close()


def test_the_same_on_a_real_redis(stores: list[Store]):
    play(stores, max_examples=60, stateful_step_count=60)


def test_every_legal_move_can_be_made(any_store: Store):
    jobs = any_store.jobs
    register(any_store, slots=99)
    later = round((any_store.now() + FAR_S) * 1000)
    for number in range(13):
        submit(any_store, f"j{number}", due_at=later if number < 2 else 0)
    jobs.hold("j0", "held")
    any_store.redis.hset(keys.job("j0"), "due_at", 1)
    jobs.release("j0")  # waiting > queued
    jobs.cancel("j1", "")  # waiting > finished
    jobs.hold("j2", "held")  # queued > waiting
    jobs.cancel("j3", "")  # queued > finished
    jobs.requeue("j4", assigned(any_store, "j4"), "")  # queued > assigned > queued
    jobs.requeue("j5", assigned(any_store, "j5"), "", delay_s=FAR_S)  # assigned > waiting
    assigned(any_store, "j6")
    jobs.cancel("j6", "")  # assigned > finished
    jobs.requeue("j7", running(any_store, "j7"), "")  # assigned > running > queued
    jobs.requeue("j8", running(any_store, "j8"), "", delay_s=FAR_S)  # running > waiting
    jobs.finish("j9", running(any_store, "j9"), Outcome.FAILED, "")  # running > finished
    jobs.retry("j9")  # finished > queued
    submit(any_store, "child", after="j10")
    jobs.cancel("child", "")
    jobs.retry("child")  # finished > waiting
    assert moves_made(any_store) == LEGAL
