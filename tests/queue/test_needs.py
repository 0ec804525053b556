"""What jobs need beyond a slot: several GPUs, their kind, labels, cores and memory of the host."""

from __future__ import annotations

from fusionq.queue.planner import Assignment, plan
from fusionq.queue.reasons import why
from tests.queue.planned import job, need_of, view, worker


def placed(jobs, workers, **more) -> dict[str, str]:
    return {choice.job_id: choice.worker for choice in plan(view(jobs, workers, **more))}


def reason(waiting, workers, ahead: int = 0) -> str:
    return why(need_of(waiting), view([], workers), ahead)


# --- several GPUs ----------------------------------------------------------------------------------


def test_a_job_gets_as_many_gpus_as_it_asks_for_on_one_worker():
    [choice] = plan(view([job("a", gpus="3")], [worker("small", gpus=2), worker("large", slots=2, gpus=4)]))
    assert choice == Assignment("a", "large", (0, 1, 2))
    assert placed([job("a", gpus="3")], [worker(slots=4, gpus=4, busy_gpus=[0, 1])]) == {}


def test_smaller_jobs_fill_what_is_left_while_a_large_one_waits():
    jobs = [job("large", sequence=1, gpus="4"), job("small", sequence=2, gpus="1")]
    assert placed(jobs, [worker(slots=4, gpus=4, busy_gpus=[3])]) == {"small": "w"}


def test_after_its_patience_what_is_free_is_kept_for_the_large_one():
    jobs = [job("large", sequence=1, gpus="4")]
    jobs += [job("small", sequence=2, gpus="1"), job("shares", sequence=3, gpu_memory=10)]
    jobs += [job("on-cpu", sequence=4, gpus="0")]
    here = worker(slots=4, gpus=4, busy_gpus=[3], shared_gpus={2: 50})
    assert placed(jobs, [here], waited={"large": 601}) == {"on-cpu": "w"}
    assert placed(jobs, [here], waited={"large": 599}) != {"on-cpu": "w"}
    assert placed(jobs, [here], waited={"large": 11}, patience_s=10) == {"on-cpu": "w"}


def test_a_slot_is_kept_too():
    jobs = [job("large", sequence=1, gpus="2"), job("on-cpu", sequence=2, gpus="0")]
    assert placed(jobs, [worker(slots=1, gpus=2, busy_gpus=[0])], waited={"large": 700}) == {}


def test_only_the_worker_that_lacks_least_is_kept_free():
    jobs = [job("large", sequence=1, gpus="4")] + [job(f"s{n}", sequence=2 + n, gpus="1") for n in range(6)]
    workers = [
        worker("few", slots=4, gpus=4, busy_gpus=[0, 1, 2]),
        worker("most", slots=4, gpus=4, busy_gpus=[0]),
        worker("small", slots=3, gpus=3),
    ]
    found = placed(jobs, workers, waited={"large": 700})
    assert set(found.values()) == {"few", "small"}


def test_what_goes_before_a_large_job_is_not_held_up_by_it():
    jobs = [job("large", sequence=1, gpus="4"), job("urgent", sequence=2, gpus="1", priority=5)]
    assert placed(jobs, [worker(slots=4, gpus=4, busy_gpus=[3])], waited={"large": 700}) == {"urgent": "w"}


# --- several workers ---------------------------------------------------------------------------------


def test_a_job_gets_all_its_workers_or_none():
    workers = [worker("a", slots=2, gpus=2), worker("b", slots=2, gpus=2, busy_gpus=[0]), worker("c", gpus=1)]
    assert placed([job("j", gpus="2", nodes=2)], workers) == {}
    [choice] = plan(view([job("j", gpus="1", nodes=3)], workers))
    assert choice == Assignment("j", "a", (0,), (("b", (1,)), ("c", (0,))))


def test_workers_are_taken_wherever_the_queue_stands_in_their_lists():
    workers = [worker("a", queues=["big"]), worker("b", queues=["small", "big"])]
    [choice] = plan(view([job("j", queue="big", nodes=2)], workers))
    assert (choice.worker, choice.members) == ("a", (("b", ()),))


def test_what_it_takes_counts_for_those_behind_it():
    workers = [worker("a"), worker("b"), worker("c")]
    jobs = [job("j", sequence=1, nodes=2), job("k", sequence=2, nodes=2), job("l", sequence=3)]
    assert placed(jobs, workers) == {"j": "a", "l": "c"}


def test_after_its_patience_as_many_workers_are_kept_free():
    jobs = [
        job("j", sequence=1, gpus="2", nodes=2),
        *(job(f"s{n}", sequence=2 + n, gpus="1") for n in range(6)),
    ]
    workers = [worker(name, slots=2, gpus=2, busy_gpus=[0]) for name in ("a", "b", "c")]
    assert list(placed(jobs, workers).values()) == ["a", "b", "c"]
    assert placed(jobs, workers, waited={"j": 700}) == {"s0": "c"}


def test_too_few_workers_for_it_are_said():
    workers = [worker("a", slots=2, gpus=2), worker("b")]
    expected = "needs 2 workers that can hold it; 1 is alive"
    assert reason(job("j", gpus="2", nodes=2), workers) == expected
    both = [worker("a", gpus=2), worker("b", gpus=2, busy_gpus=[0, 1])]
    expected = "waits for room on 2 workers with 2 GPUs each, it is next"
    assert reason(job("j", gpus="2", nodes=2), both) == expected


# --- kinds and labels --------------------------------------------------------------------------------


def test_a_kind_of_gpu_is_found_by_a_part_of_its_name():
    workers = [worker("old", gpus=1, kind="Tesla T4"), worker("new", gpus=1, kind="NVIDIA A100-SXM4-80GB")]
    assert placed([job("a", gpus="1", gpu_type=["h100", "A100"])], workers) == {"a": "new"}
    assert placed([job("a", gpus="1", gpu_type=["H100"])], workers) == {}


def test_a_share_of_a_gpu_is_of_the_kind_asked_for():
    workers = [worker("old", gpus=1, kind="T4"), worker("new", gpus=1, kind="A100", shared_gpus={0: 70})]
    assert placed([job("a", gpu_memory=10, gpu_type=["a100"])], workers) == {"a": "new"}


def test_all_labels_must_be_there():
    workers = [worker("a", labels=["site=berlin"]), worker("b", labels=["site=berlin", "disk=fast"])]
    assert placed([job("j", labels={"disk": "fast", "site": "berlin"})], workers) == {"j": "b"}
    assert placed([job("j", labels={"site": "paris"})], workers) == {}


# --- cores and memory --------------------------------------------------------------------------------


def test_cores_are_had_by_one_job_alone_and_others_count_by_their_share():
    here = worker(slots=4, cpus=16)  # four for each slot
    jobs = [job("wide", sequence=1, cpus=10), *(job(f"j{n}", sequence=2 + n) for n in range(4))]
    assert list(placed(jobs, [here])) == ["wide", "j0"]


def test_memory_of_the_host_is_shared_out():
    jobs = [job(f"j{n}", sequence=n, memory=40) for n in range(4)]
    assert list(placed(jobs, [worker(slots=4, host_memory=100)])) == ["j0", "j1"]


def test_a_worker_that_does_not_say_what_it_has_is_not_held_to_it():
    assert placed([job("a", cpus=64, memory=1 << 40)], [worker()]) == {"a": "w"}


def test_one_that_waits_for_cores_gets_them_at_last():
    here = worker(slots=4, cpus=8, jobs=["x", "y"])
    jobs = [job("wide", sequence=1, cpus=8), job("next", sequence=2)]
    assert placed(jobs, [here]) == {"next": "w"}
    assert placed(jobs, [here], waited={"wide": 700}) == {}


# --- what could never fit says so at once ------------------------------------------------------------


def test_what_no_worker_has_enough_of_is_said():
    here = worker(slots=2, gpus=2, kind="T4", cpus=16, host_memory=64_000_000_000, labels=["site=berlin"])
    small = worker("s", cpus=4, host_memory=8_000_000_000)
    both = [here, small]
    assert reason(job("a", gpus="4"), both) == "needs 4 GPUs; the largest worker alive has 2"
    assert reason(job("a", gpus="2"), [small]) == "needs 2 GPUs; no worker alive has one"
    expected = "needs a GPU of the type a100 or h100; the workers alive have t4"
    assert reason(job("a", gpus="1", gpu_type=["H100", "A100"]), both) == expected
    assert reason(job("a", cpus=32), both) == "needs 32 cores; the largest worker alive has 16 cores"
    expected = "needs 128.0 GB of memory; the largest worker alive has 64.0 GB of memory"
    assert reason(job("a", memory=128_000_000_000), both) == expected
    expected = "needs a worker with the labels site=paris; none alive has them"
    assert reason(job("a", labels={"site": "paris"}), both) == expected


def test_what_only_no_single_worker_has_is_said_too():
    workers = [worker("wide", cpus=16, host_memory=8), worker("deep", cpus=2, host_memory=64)]
    assert reason(job("a", cpus=8, memory=32), workers) == "needs more than any worker alive has"


def test_what_it_waits_for_is_said():
    here = worker(slots=2, gpus=2, busy_gpus=[0], cpus=16, host_memory=64_000_000_000)
    assert reason(job("a", gpus="2"), [here], 3) == "waits for 2 free GPUs of one worker, 3 ahead of it"
    expected = "waits for a free slot with 8 cores and 32.0 GB of memory, it is next"
    assert reason(job("a", gpus="0", cpus=8, memory=32_000_000_000), [here]) == expected
