"""The faults. Each is given to the world, and waits until that has recovered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from random import Random

from fusionq.queue.names import SCHEDULE_QUEUE, node_queue
from fusionq.queue.scheduling import START_WITHIN_S, schedule
from fusionq.spec.record import JobRecord
from fusionq.spec.settings import Settings
from fusionq.spec.states import Status
from fusionq.store import keys
from fusionq.store.store import Store
from tests.chaos.journal import now
from tests.chaos.world import LONG_S, SEEDS, World
from tests.support import wait_until

LONGER = 1.3  # leases that an outage lasts

Fault = Callable[[World, Random], list[float]]
"""Returns the seconds from the death of each worker to the first batch of its job elsewhere."""


def _victim(world: World, rng: Random) -> JobRecord:
    """A job that trains, and finds another slot free: its time to train again is no time in a queue."""
    world.await_free_workers()
    return rng.choice(world.await_training())


# --- processes -------------------------------------------------------------------------------------------


def kill_job(world: World, rng: Random) -> list[float]:
    victim = _victim(world, rng)
    process = world.here.find_process(victim.id, world.workers[victim.worker])
    if process is None:
        return kill_job(world, rng)  # it is over, and its worker could not say so yet
    process.kill()
    world.await_progress(victim.id, victim.attempt)
    return []


def kill_fork_server(world: World, rng: Random) -> list[float]:
    victim = _victim(world, rng)
    world.fork_server(victim.worker).kill()
    world.await_progress(victim.id, victim.attempt)
    return []


def kill_worker(world: World, rng: Random) -> list[float]:
    victim = _victim(world, rng)
    died_at = now()
    world.workers[victim.worker].kill()
    world.workers[victim.worker].wait()
    world.replace(victim.worker)
    return _since(died_at, world.await_progress(victim.id, victim.attempt))


def kill_worker_tree(world: World, rng: Random) -> list[float]:
    victim = _victim(world, rng)
    died_at = now()
    for process in world.tree(victim.worker):
        process.kill()
    world.workers[victim.worker].wait()
    world.replace(victim.worker)
    return _since(died_at, world.await_progress(victim.id, victim.attempt))


def stop_worker(world: World, rng: Random) -> list[float]:
    """It stands still for longer than its lease, and finds its job taken when it goes on."""
    return _stand_still(world, rng, whole_tree=False)


def stop_worker_tree(world: World, rng: Random) -> list[float]:
    """As on a machine that sleeps."""
    return _stand_still(world, rng, whole_tree=True)


def _stand_still(world: World, rng: Random, *, whole_tree: bool) -> list[float]:
    victim = _victim(world, rng)
    process = world.workers[victim.worker]
    pids = [member.pid for member in world.tree(victim.worker)] if whole_tree else [process.pid]
    stopped_at = now()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    taken_at = world.await_progress(victim.id, victim.attempt)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    wait_until(
        lambda: any(w.name == victim.worker and w.accepting for w in world.store.workers.alive()),
        timeout_s=30,
        what="the worker back",
    )
    return _since(stopped_at, taken_at)


def _since(died_at: float, again_at: float | None) -> list[float]:
    return [] if again_at is None else [again_at - died_at]


# --- Redis -----------------------------------------------------------------------------------------------


def kill_redis(world: World, rng: Random) -> list[float]:
    victim = _victim(world, rng)
    os.kill(world.redis_pid(), signal.SIGKILL)
    world.start_redis()
    world.note_outage()
    world.await_more_batches(victim.id)
    return []


def redis_gone(world: World, rng: Random) -> list[float]:
    victim = _victim(world, rng)
    os.kill(world.redis_pid(), signal.SIGKILL)
    _trains_on(world, victim)
    world.start_redis()
    return []


def redis_hangs(world: World, rng: Random) -> list[float]:
    victim = _victim(world, rng)
    pid = world.redis_pid()
    os.kill(pid, signal.SIGSTOP)
    _trains_on(world, victim)
    os.kill(pid, signal.SIGCONT)
    return []


def redis_full(world: World, rng: Random) -> list[float]:
    victim = _victim(world, rng)
    world.store.redis.config_set("maxmemory", "1")
    _trains_on(world, victim)
    world.store.redis.config_set("maxmemory", "0")
    return []


def _trains_on(world: World, victim: JobRecord) -> None:
    """For longer than a lease, whatever Redis does. A job that comes to its end waits there."""
    before = sum(1 for _ in world.journal.of(victim.id))
    world.pause(LONGER * world.lease_s)
    lines = list(world.journal.of(victim.id))
    assert len(lines) > before or world.is_through(victim), "it stood still while Redis was away"
    assert {line.attempt for line in lines[before:]} <= {victim.attempt}
    world.note_outage()


# --- the disk --------------------------------------------------------------------------------------------


def disk_full(world: World, rng: Random) -> list[float]:
    """Its next checkpoint fails; it goes back to its queue, and goes on once there is room."""
    victim = _victim(world, rng)
    world.fill_disk()
    wait_until(
        lambda: world.store.jobs.get(victim.id).status is not Status.RUNNING,
        timeout_s=60,
        what="the job on a full disk back in its queue",
    )
    world.clear_disk()
    assert not [record for record in world.records() if record.failure == "disk_full"]
    world.await_progress(victim.id, victim.attempt)
    return []


# --- messages and planners -------------------------------------------------------------------------------


def messages_doubled(world: World, rng: Random) -> list[float]:
    """Twice, late, early, and to the wrong worker."""
    victim = _victim(world, rng)
    for worker in world.workers:
        for attempt in (victim.attempt, victim.attempt - 1, victim.attempt + 1, victim.attempt):
            world.sender.run(worker, victim.id, attempt)
    world.await_more_batches(victim.id)
    return []


def clock_ahead(world: World, rng: Random) -> list[float]:
    """A worker an hour ahead starts what others tell it to, at once and at the first try."""
    leaving = rng.choice(world.await_free_workers())
    world.workers[leaving].terminate()
    world.workers[leaving].wait()
    ahead = world.replace(leaving, is_skewed=True)
    redis = world.store.redis
    redis.set(keys.PASS_LOCK, "chaos", px=int(LONG_S * 1000))
    try:
        wait_until(lambda: ahead in world.await_free_workers(), timeout_s=LONG_S, what=f"{ahead} is free")
        job_id = world.submit(rng.choice(SEEDS))
        assert world.store.jobs.assign(job_id, ahead, (), START_WITHIN_S) == 1
        world.sender.run(ahead, job_id, 1)
        world.await_progress(job_id, 0)
    finally:
        redis.delete(keys.PASS_LOCK)
    assert world.journal.attempts_of(job_id) == [1], "a message to a worker an hour ahead was thrown away"
    return []


def messages_lost(world: World, rng: Random) -> list[float]:
    """All that are on their way, and that of a job whose planner died between commit and message."""
    redis = world.store.redis
    redis.set(keys.PASS_LOCK, "chaos", px=60_000)
    try:
        job_id = world.submit(rng.choice(SEEDS))
        worker = rng.choice(world.await_free_workers())
        assert world.store.jobs.assign(job_id, worker, (), START_WITHIN_S) == 1
        for queue in (SCHEDULE_QUEUE, *map(node_queue, world.workers)):
            redis.delete(f"{keys.CELERY_PREFIX}{queue}")
    finally:
        redis.delete(keys.PASS_LOCK)
    world.await_progress(job_id, 1)
    return []


PLANNER_THAT_DIES = """
import os, signal
from fusionq.queue.planner import plan
from fusionq.spec.settings import Settings
from fusionq.store.store import Store
store = Store.open(Settings.load())
assert store.passes.begin("of a dead planner")
plan(store.view())
os.kill(os.getpid(), signal.SIGKILL)
"""


def planner_killed(world: World, rng: Random) -> list[float]:
    """Between plan and commit: it takes the lock of the pass with it."""
    wait_until(lambda: not world.store.redis.exists(keys.PASS_LOCK), what="no pass")
    subprocess.run([sys.executable, "-c", PLANNER_THAT_DIES], env=world.here.environ, check=False)
    job_id = world.submit(rng.choice(SEEDS))
    world.await_progress(job_id, 0)
    return []


def many_planners(world: World, rng: Random) -> list[float]:
    """Several at once, each sure that it is the only one, while jobs come and workers are busy."""
    is_over = threading.Event()

    def plan_on() -> None:
        store = Store.open(Settings(home=world.here.home, runs=world.here.home / "runs"))
        while not is_over.is_set():
            store.redis.delete(keys.PASS_LOCK)
            schedule(store, world.sender)
        store.close()

    planners = [threading.Thread(target=plan_on) for _ in range(3)]
    for planner in planners:
        planner.start()
    try:
        for job_id in [world.submit(rng.choice(SEEDS)) for _ in range(2)]:
            world.await_progress(job_id, 0)
    finally:
        is_over.set()
        for planner in planners:
            planner.join()
    return []


def many_reapers(world: World, rng: Random) -> list[float]:
    """Each worker is sure that it is the only one to reap."""
    is_over = threading.Event()

    def unlock() -> None:
        while not is_over.wait(0.01):
            world.store.redis.delete(keys.REAP_LOCK)

    unlocker = threading.Thread(target=unlock)
    unlocker.start()
    try:
        return kill_worker(world, rng)
    finally:
        is_over.set()
        unlocker.join()


QUICK: tuple[Fault, ...] = (
    kill_job,
    kill_worker_tree,
    stop_worker,
    kill_redis,
    redis_full,
    messages_doubled,
    clock_ahead,
)
ALL: tuple[Fault, ...] = (
    kill_job,
    kill_fork_server,
    kill_worker,
    kill_worker_tree,
    stop_worker,
    stop_worker_tree,
    kill_redis,
    redis_gone,
    redis_hangs,
    redis_full,
    disk_full,
    messages_doubled,
    clock_ahead,
    messages_lost,
    planner_killed,
    many_planners,
    many_reapers,
)
