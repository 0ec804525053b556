"""Workers and jobs that are told to stop while real trainings run on them."""

from __future__ import annotations

import signal

import pytest

from fusionq.spec.states import Outcome
from fusionq.store import keys
from tests.acceptance.installation import LONG_S, SLOWLY, Installation
from tests.acceptance.test_recovery import assert_same_result
from tests.support import is_gone, wait_until

pytestmark = pytest.mark.acceptance


def only_redis_is_left(installation: Installation) -> None:
    wait_until(lambda: len(installation.processes()) == 1, timeout_s=120, what="only Redis left")


def test_a_worker_is_stopped_from_afar_in_three_ways_and_nothing_is_lost(installation: Installation) -> None:
    installation.cli("up")
    undisturbed = installation.submit("name=undisturbed", "train.epochs=20")
    first = installation.start_worker("first")
    expected = installation.await_end(undisturbed)
    job_id = installation.submit("train.epochs=20", *SLOWLY)

    installation.await_epochs(job_id, 1)
    done = installation.cli("worker", "stop", "first")  # its state is saved
    assert done.returncode == 0, done.stderr
    assert f"({job_id}) queued: its worker was shut down; its state is saved" in done.stderr
    assert done.stderr.endswith("first is gone\n")
    assert first.wait(timeout=120) == 0
    only_redis_is_left(installation)

    second = installation.start_worker("first")  # what was asked of its namesake does not bind it
    installation.await_epochs(job_id, 3, attempt=2)
    done = installation.cli("worker", "stop", "first", "--now")
    assert f"({job_id}) queued: its worker was shut down; killed at once" in done.stderr
    assert second.wait(timeout=120) == 0
    only_redis_is_left(installation)

    third = installation.start_worker("third")
    installation.await_epochs(job_id, 5, attempt=3)
    waiting = installation.submit("name=waiting")
    done = installation.cli("worker", "stop", "third", "--drain", "--no-wait")
    assert done.returncode == 0
    assert " draining " in installation.cli("workers").stdout
    done = installation.cli("worker", "stop", "third", "--drain")  # once more, to wait
    assert done.stderr.endswith("third is gone\n")
    assert installation.store.jobs.get(job_id).outcome is Outcome.SUCCEEDED
    assert third.wait(timeout=120) == 0
    only_redis_is_left(installation)
    record = installation.store.jobs.get(job_id)
    assert (record.attempt, record.losses) == (3, 0)
    assert_same_result(record, expected)
    assert installation.store.jobs.get(waiting).status == "queued"


def test_a_drain_that_takes_too_long_is_cut_short_by_a_signal(installation: Installation) -> None:
    installation.cli("up")
    worker = installation.start_worker("slow")
    job_id = installation.submit("train.epochs=500", *SLOWLY)
    installation.await_epochs(job_id, 1)
    installation.cli("worker", "stop", "slow", "--drain", "--no-wait")
    wait_until(lambda: installation.store.workers.find("slow").stop == "drain")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=120) == 0
    assert installation.store.jobs.get(job_id).reason == "its worker was shut down; its state is saved"
    only_redis_is_left(installation)


def test_a_job_makes_room_is_held_and_is_released_and_ends_as_if_nothing_had_been(
    installation: Installation,
) -> None:
    installation.cli("up")
    undisturbed = installation.submit("name=undisturbed", "train.epochs=20")
    installation.start_worker("one")
    expected = installation.await_end(undisturbed)
    store = installation.store
    job_id = installation.submit("train.epochs=20", *SLOWLY)

    installation.await_epochs(job_id, 1)
    store.redis.hset(keys.job(job_id), "stop_requested", "requeue")
    store.redis.publish(keys.stop_channel("one"), f"requeue {job_id}")
    wait_until(lambda: store.jobs.get(job_id).attempt == 2, timeout_s=LONG_S, what="the next attempt")

    installation.await_epochs(job_id, 3, attempt=2)
    assert store.jobs.hold(job_id, "held by a test") == {"asked": 1}
    wait_until(lambda: store.jobs.get(job_id).status == "waiting", timeout_s=LONG_S, what="the job held")
    assert store.jobs.get(job_id).reason == "held by a test"
    assert store.jobs.release(job_id) == {"released": 1}

    record = installation.await_end(job_id)
    assert (record.attempt, record.losses) == (3, 0)
    assert_same_result(record, expected)
    assert installation.cli("logs", job_id).stdout.count("going on from epoch") == 2


def test_a_job_that_is_cancelled_now_is_gone_without_a_grace(installation: Installation) -> None:
    installation.cli("up")
    worker = installation.start_worker("one")
    job_id = installation.submit("trainer={_target_: trainers.Slow, seconds: 60}", "grace=1h")
    wait_until(lambda: installation.store.streams.points(job_id), timeout_s=LONG_S, what="training")
    process = installation.process_of(job_id, worker)
    done = installation.cli("cancel", job_id, "--now", timeout_s=50)
    assert done.returncode == 0
    record = installation.store.jobs.get(job_id)
    assert record.outcome is Outcome.CANCELLED
    assert record.reason.startswith("cancelled by the user; killed at once")
    assert is_gone(process)


def test_a_job_that_uses_more_memory_than_it_asked_for_is_stopped_with_that_reason(
    installation: Installation,
) -> None:
    installation.cli("up")
    installation.start_worker("one")
    job_id = installation.submit("trainer=trainers.Hungry", "resources.memory=900MB", "retry.max=0")
    record = installation.await_end(job_id)
    assert record.failure == "memory_limit"
    assert " of memory; it asked for 900.0 MB" in record.reason
    needs_more = installation.submit("resources.memory=900TB")
    assert (
        "needs 900.0 TB of memory; the largest worker alive has"
        in installation.cli("status", needs_more).stdout
    )
