"""Every move of jobs by several clients, for Hypothesis to choose from, beside the model."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from fusionq.errors import UsageError
from fusionq.spec.states import FIRST_MOVES, LEGAL_MOVES, RETRY_MOVES, Outcome, Status
from fusionq.store import keys
from fusionq.store.spec_change import SpecChange
from fusionq.store.store import Store
from tests.store.job_model import WORKERS, Job, Model
from tests.support import end_of_time, register

NUM_CLIENTS = 3
MAX_LOSSES = 1
FAR_S = 1000.0
NUM_GPUS = 3
RUN_DIR = "run-dir"

pick = st.integers(0, 10**6)
clients = st.integers(0, NUM_CLIENTS - 1)
workers = st.sampled_from(sorted(WORKERS))
mostly = st.sampled_from([0, 0, 0, 0, 1, -1])  # how far the number of an attempt is off


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
    @rule(client=clients, number=pick, fresh=st.booleans(), read=st.sampled_from(["", "own", "another"]))
    def retry(self, client: int, number: int, fresh: bool, read: str) -> None:
        """With another spec where one was `read`: the job's own, or one that it has no more."""
        job_id, job = self.choose(number, Status.FINISHED)
        jobs = self.stores[client].jobs
        packed = jobs.packed_spec(job_id) if read == "own" else b"another"
        change = SpecChange(packed, {"number": number}, {"tags": "[]"}) if read else None
        if job.status is not Status.FINISHED:
            assert jobs.retry(job_id, fresh=fresh, change=change) == "active"
        elif job.outcome is Outcome.SUCCEEDED and not fresh and not change:
            assert jobs.retry(job_id) == "succeeded"
        elif self.model.verdict(job) == "never":
            with pytest.raises(UsageError):
                jobs.retry(job_id, fresh=fresh, change=change)
        elif read == "another":
            assert jobs.retry(job_id, fresh=fresh, change=change) == "changed"
        else:
            assert jobs.retry(job_id, fresh=fresh, change=change) == "retried"
            assert not change or jobs.spec(job_id) == {"number": number}
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
