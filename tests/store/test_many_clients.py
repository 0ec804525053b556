"""Many clients at once, each doing whatever it likes: every move is legal, and every job is in one place."""

from __future__ import annotations

from collections import defaultdict
from random import Random
from threading import Thread

from fusionq.spec.states import FIRST_MOVES, LEGAL_MOVES, RETRY_MOVES, Outcome, Status
from fusionq.store import keys
from fusionq.store.connection import connect
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.store import Store
from tests.support import register

NUM_CLIENTS = 4
NUM_MOVES = 250
SLOTS = 3
WORKERS = ("one", "two")


class Somebody(Thread):
    """One client with a connection of its own."""

    def __init__(self, url: str, seed: int) -> None:
        super().__init__()
        self.store = Store(connect(url), url)
        self.random = Random(seed)
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            for number in range(NUM_MOVES):
                self.move(number)
        except Exception as error:  # told by the test, on its own thread
            self.error = error
        finally:
            self.store.close()

    def move(self, number: int) -> None:
        jobs, chance = self.store.jobs, self.random
        if number % 5 == 0:
            parents = ",".join(job.id for job in chance.sample(jobs.newest(3), 1)) if number % 10 else ""
            fields = {"name": "x", "queue": "default", "priority": chance.randint(-1, 1), "after": parents}
            jobs.submit(f"{self.native_id}-{number}", {}, fields)
        record = chance.choice(jobs.newest(12))
        job_id, attempt = record.id, record.attempt
        chance.choice(
            [
                lambda: jobs.assign(job_id, chance.choice(WORKERS), (), chance.choice([0, 60])),
                lambda: jobs.assign(job_id, chance.choice(WORKERS), (), 60),
                lambda: jobs.start(job_id, attempt, chance.choice([0, 60]), ""),
                lambda: jobs.start(job_id, attempt, 60, ""),
                lambda: jobs.finish(job_id, attempt, chance.choice(list(Outcome)), ""),
                lambda: jobs.requeue(job_id, attempt, "", delay_s=chance.choice([0, 0.001, 60])),
                lambda: jobs.reap(job_id, attempt, delay_s=0, reason="lost"),
                lambda: jobs.cancel(job_id, ""),
                lambda: jobs.hold(job_id, "held"),
                lambda: jobs.release(job_id),
                lambda: jobs.set_priority(job_id, chance.randint(-3, 3)),
                lambda: (
                    record.outcome in (Outcome.CANCELLED, Outcome.TIMED_OUT)
                    and not record.after
                    and jobs.retry(job_id)
                ),
                jobs.promote,
            ]
        )()


def test_whatever_many_clients_do_at_once_every_job_is_in_one_place(
    store: Store, redis_server: EmbeddedRedis
):
    for name in WORKERS:
        register(store, name, slots=SLOTS)
    everybody = [Somebody(redis_server.url, seed) for seed in range(NUM_CLIENTS)]
    for somebody in everybody:
        somebody.start()
    for somebody in everybody:
        somebody.join()
    assert [somebody.error for somebody in everybody] == [None] * NUM_CLIENTS
    check_places(store)
    check_history(store)


def check_places(store: Store) -> None:
    records = store.jobs.newest(10_000)
    at: dict[Status, set[str]] = defaultdict(set)
    on: dict[str, set[str]] = defaultdict(set)
    for record in records:
        at[record.status].add(record.id)
        if record.status in (Status.ASSIGNED, Status.RUNNING):
            on[record.worker].add(record.id)
    assert len(records) == store.jobs.count() == NUM_CLIENTS * NUM_MOVES // 5
    assert {job.id for job in store.jobs.pending(10_000)} == at[Status.QUEUED]
    assert set(store.redis.zrange(keys.ASSIGNED, 0, -1)) == at[Status.ASSIGNED]
    assert set(store.redis.zrange(keys.LEASES, 0, -1)) == at[Status.RUNNING]
    assert set(store.redis.zrange(keys.WAITING, 0, -1)) <= at[Status.WAITING]
    for name in WORKERS:
        assert store.redis.smembers(keys.worker_jobs(name)) == on[name]
        assert len(on[name]) <= SLOTS


def check_history(store: Store) -> None:
    """Every change was legal, and every attempt was assigned and begun once."""
    tables = (FIRST_MOVES, LEGAL_MOVES, RETRY_MOVES)
    legal = {(str(a), str(b)) for table in tables for a, ends in table.items() for b in ends}
    at: dict[str, str] = defaultdict(str)
    seen = set()
    for _, event in store.redis.xrange(keys.EVENTS):
        assert (at[event["job"]], event["status"]) in legal
        at[event["job"]] = event["status"]
        if event["status"] in ("assigned", "running"):
            mark = (event["job"], event["attempt"], event["status"])
            assert mark not in seen, "an attempt is one attempt"
            seen.add(mark)
