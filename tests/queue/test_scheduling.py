"""A scheduling pass: what fits is assigned and sent, once, however many ask."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random

import pytest

from fusionq.errors import StoreUnavailableError
from fusionq.queue.planner import plan
from fusionq.queue.scheduling import schedule
from fusionq.spec.states import Status
from fusionq.store.connection import connect
from fusionq.store.passes import Passes
from fusionq.store.store import Store
from tests.queue.planned import view
from tests.queue.serving import serving
from tests.support import submit


class FakeSender:
    """Notes what it is told to send, and the state of the job at that moment."""

    def __init__(self, store: Store) -> None:
        self.sent: list[tuple[str, str, int]] = []
        self.states: list[Status] = []
        self._store = store

    def run(self, worker: str, job_id: str, attempt: int) -> None:
        self.sent.append((worker, job_id, attempt))
        self.states.append(self._store.jobs.get(job_id).status)


def test_a_pass_assigns_what_fits_and_tells_the_worker(store: Store):
    serving(store, slots=2)
    for job_id in ("a", "b", "c"):
        submit(store, job_id)
    sender = FakeSender(store)
    assert schedule(store, sender) == 2
    assert sender.sent == [("w", "a", 1), ("w", "b", 1)]
    assert [store.jobs.get(job_id).status for job_id in "abc"] == ["assigned", "assigned", "queued"]


def test_a_worker_is_told_only_after_the_job_is_its_own(store: Store):
    serving(store)
    submit(store, "a")
    sender = FakeSender(store)
    schedule(store, sender)
    assert sender.states == [Status.ASSIGNED]


def test_the_gpus_of_the_plan_are_reserved(store: Store):
    serving(store, slots=2, gpus='[{"index": 0}, {"index": 1}]')
    for job_id in ("a", "b"):
        submit(store, job_id, gpus="auto")
    schedule(store, FakeSender(store))
    assert [store.jobs.get(job_id).assigned_gpus for job_id in "ab"] == [(0,), (1,)]


def test_a_gpu_is_shared_by_those_that_say_how_much_they_need(store: Store):
    serving(store, slots=3, gpus='[{"index": 0, "memory_bytes": 80}]')
    for job_id in ("a", "b", "c"):
        submit(store, job_id, gpu_memory=40)
    assert schedule(store, FakeSender(store)) == 2
    assert [store.jobs.get(job_id).assigned_gpus for job_id in "abc"] == [(0,), (0,), ()]


def test_a_pass_brings_back_what_was_never_started(store: Store):
    serving(store)
    submit(store, "a")
    assert store.jobs.assign("a", "w", (), start_within_s=-1)
    sender = FakeSender(store)
    assert schedule(store, sender) == 1
    assert sender.sent == [("w", "a", 2)]


def test_an_assignment_that_lost_its_race_is_not_sent(store: Store, monkeypatch: pytest.MonkeyPatch):
    serving(store, slots=2)
    for job_id in ("a", "b"):
        submit(store, job_id)
    assign = store.jobs.assign

    def late(job_id: str, *rest) -> int:
        if job_id == "a":
            store.jobs.cancel("a", "meanwhile")
        return assign(job_id, *rest)

    monkeypatch.setattr(store.jobs, "assign", late)
    sender = FakeSender(store)
    assert schedule(store, sender) == 1
    assert sender.sent == [("w", "b", 1)]


def test_many_passes_at_once_assign_each_job_once(store: Store):
    serving(store, slots=20)
    for number in range(20):
        submit(store, f"j{number}")
    sender = FakeSender(store)
    start = threading.Barrier(4)

    def one_pass() -> int:
        own = Store(connect(store.url), store.url)
        start.wait()
        try:
            return schedule(own, sender)
        finally:
            own.close()

    with ThreadPoolExecutor(4) as pool:
        counts = [future.result() for future in [pool.submit(one_pass) for _ in range(4)]]
    assert sum(counts) == 20
    assert sorted(job_id for _, job_id, _ in sender.sent) == sorted(f"j{number}" for number in range(20))


def test_a_wish_during_a_pass_is_served_by_that_pass(store: Store):
    serving(store)
    submit(store, "a")

    class Busy(FakeSender):
        """While the pass sends its first message, a slot comes free and somebody asks for another pass."""

        def run(self, worker: str, job_id: str, attempt: int) -> None:
            super().run(worker, job_id, attempt)
            if job_id == "a":
                serving(store, "w2")
                submit(store, "b")
                assert schedule(store, self) == 0

    sender = Busy(store)
    assert schedule(store, sender) == 2
    assert [job_id for _, job_id, _ in sender.sent] == ["a", "b"]


def test_a_pass_that_broke_off_holds_up_nobody_for_long(store: Store):
    serving(store)
    submit(store, "a")

    class Cut(FakeSender):
        def run(self, worker: str, job_id: str, attempt: int) -> None:
            raise StoreUnavailableError("gone")

    with pytest.raises(StoreUnavailableError):
        schedule(store, Cut(store))
    assert 0 <= store.redis.pttl("fusionq:pass_lock") <= 10_000 or not store.redis.exists("fusionq:pass_lock")


# --- the view and the planner together -------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_the_planner_sees_enough_to_choose_as_if_it_saw_every_job(any_store: Store, seed: int):
    random = Random(seed)
    gpus = '[{"index": 0, "memory_bytes": 80}, {"index": 1, "memory_bytes": 40}]'
    for number in range(3):
        queues = random.choice([("x",), ("y", "x"), ("x", "y", "z")])
        serving(any_store, f"w{number}", slots=random.randint(1, 3), gpus=gpus, queues=queues)
    for number in range(50):
        more = {"gpu_memory": random.choice([30, 60])} if random.random() < 0.3 else {}
        submit(
            any_store,
            f"j{number}",
            queue=random.choice("xyz"),
            priority=random.choice([0, 0, 1]),
            user=f"u{random.randrange(8)}",
            gpus=random.choice(["0", "1", "auto"]),
            **more,
        )
    for number in random.sample(range(50), 2):
        any_store.jobs.assign(f"j{number}", "w0", (), 60)
    any_store.queues.set_order(random.choice(["fair", "fifo"]))
    if seed % 3 == 0:
        any_store.queues.pause("x", "")
    seen = any_store.view()
    everything = view(any_store.jobs.pending(), any_store.workers.alive())
    assert plan(seen) == plan(replace(seen, lanes=everything.lanes))


def test_two_planners_that_know_nothing_of_each_other_assign_each_job_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    """The lock of a pass expires; what is left to keep its promises is the script that assigns."""
    monkeypatch.setattr(Passes, "begin", lambda *_: True)
    serving(store, slots=30)
    for number in range(40):
        submit(store, f"j{number}", user=f"u{number % 3}")
    sender = FakeSender(store)
    start = threading.Barrier(4)

    def passes() -> int:
        own = Store(connect(store.url), store.url)
        start.wait()
        try:
            return sum(schedule(own, sender) for _ in range(5))
        finally:
            own.close()

    with ThreadPoolExecutor(4) as pool:
        counts = [future.result() for future in [pool.submit(passes) for _ in range(4)]]
    assert sum(counts) == 30, "no slot twice"
    assert len({job_id for _, job_id, _ in sender.sent}) == len(sender.sent) == 30, "no job twice"
    [there] = store.workers.alive()
    assert len(there.jobs) == 30


def test_a_paused_queue_gets_its_turn_once_it_goes_on(store: Store):
    serving(store)
    submit(store, "a")
    store.queues.pause("default", "")
    assert schedule(store, FakeSender(store)) == 0
    store.queues.resume("default")
    assert schedule(store, FakeSender(store)) == 1
