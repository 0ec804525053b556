"""Why a queued job waits, as people read it."""

from __future__ import annotations

from fusionq.queue.reasons import why, why_each
from fusionq.store.store import Store
from tests.queue.planned import job, need_of, view, worker
from tests.queue.serving import serving
from tests.store.swept import submit_sweep
from tests.support import submit


def reason(waiting, workers, ahead: int = 0, **more) -> str:
    return why(need_of(waiting), view([], workers, **more), ahead)


def test_without_a_living_worker_the_reason_says_how_to_start_one():
    assert reason(job("a"), []) == "no worker is alive; start one: fusionq worker"
    assert reason(job("a"), [worker(is_alive=False)]) == "no worker is alive; start one: fusionq worker"


def test_without_a_worker_of_the_queue_the_reason_says_how_to_start_one_for_it():
    expected = "no worker serves the queue 'big'; start one: fusionq worker --queues big"
    assert reason(job("a", queue="big"), [worker()]) == expected


def test_a_worker_that_warms_up_or_leaves_is_no_reason_to_start_another():
    expected = "the workers of the queue 'default' are starting, stopping or in quarantine"
    assert reason(job("a"), [worker(accepting=False)]) == expected


def test_a_gpu_that_nobody_has_is_said():
    assert reason(job("a", gpus="1"), [worker()]) == "needs 1 GPU; no worker alive has one"


def test_more_memory_than_any_gpu_has_is_said():
    here = worker(gpus=1, memory=24_000_000_000)
    expected = "needs 40.0 GB of one GPU; the largest worker alive has 24.0 GB"
    assert reason(job("a", gpu_memory=40_000_000_000), [here]) == expected


def test_a_paused_queue_is_the_reason_whatever_else_there_is():
    paused = {"default": "new driver"}
    assert reason(job("a"), [], paused=paused) == "queue 'default' is paused: new driver"
    assert reason(job("a"), [], paused={"default": ""}) == "queue 'default' is paused"


def test_what_a_job_waits_for_is_said_with_how_many_are_ahead():
    with_gpu = worker(gpus=1, memory=8_000_000_000)
    assert reason(job("a"), [worker()]) == "waits for a free slot, it is next"
    assert reason(job("a"), [with_gpu, worker("other")], 3) == "waits for a free GPU, 3 ahead of it"
    assert reason(job("a", gpus="0"), [with_gpu], 1) == "waits for a free slot, 1 ahead of it"
    assert reason(job("a", gpu_memory=1), [with_gpu]) == "waits for 1 B of a GPU, it is next"


def test_who_is_about_to_start_is_neither_given_a_reason_nor_counted(any_store: Store):
    serving(any_store)
    submit(any_store, "foreign", queue="nobodys")
    for job_id in ("starts", "first", "second"):
        submit(any_store, job_id, gpus="0")
    assert why_each(any_store, ["starts", "first", "second"]) == {
        "first": "waits for a free slot, it is next",
        "second": "waits for a free slot, 1 ahead of it",
    }


def test_a_job_that_another_leaps_over_is_still_next(any_store: Store):
    serving(any_store, gpus='[{"index": 0, "memory_bytes": 9}]', slots=2)
    any_store.redis.hset("fusionq:worker_gpus:w", "0", "somebody")
    submit(any_store, "large", gpus="1")
    submit(any_store, "small", gpus="0")
    assert why_each(any_store, ["large", "small"]) == {"large": "waits for a free GPU, it is next"}


def test_a_sweep_waits_for_what_its_next_trial_waits_for(any_store: Store):
    serving(any_store)
    submit(any_store, "starts", gpus="0")
    submit(any_store, "first", gpus="0")
    submit_sweep(any_store, "abc", 2)
    assert why_each(any_store, ["abc"]) == {"abc": "waits for a free slot, 1 ahead of it"}
