"""The planner: who goes where, and why the others wait."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from fusionq.queue.planner import Assignment, Plan, plan
from tests.queue.planned import job, worker


def assigned(result: Plan) -> list[str]:
    return [choice.job_id for choice in result.assignments]


# --- order -----------------------------------------------------------------------------------------


def test_the_first_come_goes_first():
    result = plan([job("late", sequence=2), job("early", sequence=1)], [worker()])
    assert assigned(result) == ["early"]


def test_a_higher_priority_goes_before_an_earlier_submission():
    jobs = [job("early", sequence=1), job("urgent", sequence=2, priority=5), job("idle", priority=-5)]
    assert assigned(plan(jobs, [worker(slots=3)])) == ["urgent", "early", "idle"]


def test_a_job_that_does_not_fit_does_not_hold_up_a_later_one():
    jobs = [job("big", sequence=1, gpus="1"), job("small", sequence=2, gpus="0")]
    result = plan(jobs, [worker()])
    assert assigned(result) == ["small"]
    assert list(result.reasons) == ["big"]


# --- room ------------------------------------------------------------------------------------------


def test_a_worker_gets_no_more_jobs_than_it_has_free_slots():
    jobs = [job(f"j{i}", sequence=i) for i in range(5)]
    assert assigned(plan(jobs, [worker(slots=3, jobs=["busy"])])) == ["j0", "j1"]


def test_each_job_gets_a_free_gpu_of_its_own():
    jobs = [job("a", sequence=1), job("b", sequence=2), job("c", sequence=3)]
    result = plan(jobs, [worker(slots=4, gpus=3, busy_gpus=[1], jobs=["busy"])])
    assert result.assignments == [Assignment("a", "w", (0,)), Assignment("b", "w", (2,))]
    assert list(result.reasons) == ["c"]


def test_auto_means_the_cpu_where_no_worker_of_the_queue_has_a_gpu():
    elsewhere = worker("elsewhere", gpus=1, queues=["other"])
    assert plan([job("a")], [worker("here"), elsewhere]).assignments == [Assignment("a", "here", ())]


def test_auto_waits_for_a_gpu_where_any_worker_of_the_queue_has_one():
    busy = worker("with-gpu", slots=2, gpus=1, busy_gpus=[0], jobs=["busy"])
    result = plan([job("a")], [busy, worker("without")])
    assert result.reasons == {"a": "waits for a free GPU, it is next"}


def test_a_job_that_wants_no_gpu_leaves_the_gpus_free():
    jobs = [job("cpu", sequence=1, gpus="0"), job("gpu", sequence=2, gpus="1")]
    result = plan(jobs, [worker(slots=2, gpus=1)])
    assert result.assignments == [Assignment("cpu", "w", ()), Assignment("gpu", "w", (0,))]


def test_a_job_goes_only_to_a_worker_that_serves_its_queue():
    result = plan([job("a", queue="big")], [worker("small"), worker("large", queues=["default", "big"])])
    assert result.assignments == [Assignment("a", "large", ())]


def test_a_dead_worker_and_one_that_takes_nothing_more_get_no_job():
    workers = [worker("dead", is_alive=False), worker("leaving", accepting=False)]
    assert plan([job("a")], workers).assignments == []


def test_jobs_spread_over_the_emptiest_workers():
    workers = [worker("full", slots=4, jobs=["x", "y"]), worker("empty", slots=4)]
    jobs = [job(f"j{i}", sequence=i) for i in range(4)]
    assert [choice.worker for choice in plan(jobs, workers).assignments] == [
        "empty",
        "empty",
        "full",
        "empty",
    ]


# --- reasons ---------------------------------------------------------------------------------------


def reason(waiting, workers) -> str:
    return plan([waiting], workers).reasons[waiting.id]


def test_without_a_living_worker_the_reason_says_how_to_start_one():
    assert reason(job("a"), []) == "no worker is alive; start one: fusionq worker"
    assert reason(job("a"), [worker(is_alive=False)]) == "no worker is alive; start one: fusionq worker"


def test_without_a_worker_of_the_queue_the_reason_says_how_to_start_one_for_it():
    expected = "no worker serves the queue 'big'; start one: fusionq worker --queues big"
    assert reason(job("a", queue="big"), [worker()]) == expected


def test_a_worker_that_warms_up_or_leaves_is_no_reason_to_start_another():
    expected = "the workers of the queue 'default' are starting or stopping"
    assert reason(job("a"), [worker(accepting=False)]) == expected


def test_a_gpu_that_nobody_has_is_said():
    assert reason(job("a", gpus="1"), [worker()]) == "needs 1 GPU; no worker alive has one"


def test_the_reason_counts_the_jobs_that_wait_before_it_in_its_queue():
    jobs = [
        job("runs", sequence=1),
        job("foreign", sequence=2, queue="nobody's"),
        job("first", sequence=3),
        job("second", sequence=4),
    ]
    reasons = plan(jobs, [worker()]).reasons
    assert reasons["first"] == "waits for a free slot, it is next"
    assert reasons["second"] == "waits for a free slot, 1 ahead of it"


# --- GPUs that are shared --------------------------------------------------------------------------


def sharing(job_id: str, gpu_memory: int, sequence: int = 1, **more):
    return job(job_id, gpu_memory=gpu_memory, sequence=sequence, **more)


def test_jobs_that_say_how_much_they_need_share_a_gpu_up_to_its_memory():
    jobs = [sharing("a", 30, 1), sharing("b", 50, 2), sharing("c", 1, 3)]
    result = plan(jobs, [worker(slots=9, gpus=1, memory=80)])
    assert result.assignments == [Assignment("a", "w", (0,)), Assignment("b", "w", (0,))]
    assert result.reasons == {"c": "waits for 1 B of a GPU, it is next"}


def test_a_job_shares_the_fullest_gpu_and_leaves_others_whole():
    here = worker(slots=9, gpus=4, memory=[80, 80, 80, 40], jobs=["x", "y"], shared_gpus={0: 10, 2: 40})
    assert plan([sharing("a", 40)], [here]).assignments == [Assignment("a", "w", (2,))]
    assert plan([sharing("a", 60)], [here]).assignments == [Assignment("a", "w", (0,))]
    assert plan([sharing("a", 75)], [here]).assignments == [Assignment("a", "w", (1,))]
    assert plan([job("a")], [here]).assignments == [Assignment("a", "w", (1,))]


def test_a_job_that_says_nothing_gets_a_gpu_to_itself():
    jobs = [sharing("a", 1, 1), job("b", sequence=2), sharing("c", 1, 3)]
    result = plan(jobs, [worker(slots=9, gpus=2)])
    assert result.assignments[:2] == [Assignment("a", "w", (0,)), Assignment("b", "w", (1,))]


def test_a_gpu_that_a_job_has_to_itself_is_not_shared():
    result = plan([sharing("a", 1)], [worker(slots=9, gpus=1, busy_gpus=[0], jobs=["x"])])
    assert result.reasons == {"a": "waits for 1 B of a GPU, it is next"}


def test_a_small_job_does_not_keep_a_larger_one_before_it_from_its_gpu_for_ever():
    here = worker(slots=9, gpus=1, memory=80, jobs=["x"], shared_gpus={0: 50})
    for waiting in (sharing("large", 60), job("whole")):
        assert assigned(plan([waiting, sharing("small", 10, 2)], [here])) == []
        assert assigned(plan([sharing("small", 10, 0), waiting], [here])) == ["small"]


def test_a_job_that_fits_no_gpu_keeps_nobody_from_it():
    here = worker(slots=9, gpus=1, memory=24_000_000_000, jobs=["x"], shared_gpus={0: 5})
    result = plan([sharing("huge", 40_000_000_000), sharing("small", 10, 2)], [here])
    assert assigned(result) == ["small"]
    expected = "needs 40.0 GB of one GPU; the largest worker alive has 24.0 GB"
    assert result.reasons == {"huge": expected}


def test_memory_of_a_gpu_is_no_matter_where_auto_means_the_cpu():
    assert plan([sharing("a", 99)], [worker()]).assignments == [Assignment("a", "w", ())]
    assert plan([sharing("a", 99, gpus="1")], [worker()]).reasons == {
        "a": "needs 1 GPU; no worker alive has one"
    }


# --- what always holds -----------------------------------------------------------------------------

QUEUES = ("default", "big")

jobs_of_all_kinds = st.lists(
    st.builds(
        job,
        st.just(""),
        priority=st.integers(-2, 2),
        queue=st.sampled_from(QUEUES),
        gpus=st.sampled_from(["auto", "0", "1"]),
        gpu_memory=st.sampled_from([None, None, 20, 50, 90]),
    ),
    max_size=12,
).map(lambda jobs: [replace(job, id=f"j{i}", sequence=i) for i, job in enumerate(jobs)])


@st.composite
def workers_of_all_kinds(draw):
    count = draw(st.integers(0, 4))
    return [
        worker(
            f"w{i}",
            slots=draw(st.integers(1, 3)),
            gpus=(gpus := draw(st.integers(0, 3))),
            memory=[draw(st.sampled_from([40, 80])) for _ in range(gpus)],
            busy_gpus=draw(st.sets(st.sampled_from(range(gpus)))) if gpus else (),
            shared_gpus={0: draw(st.sampled_from([10, 30]))} if gpus and draw(st.booleans()) else {},
            jobs=[f"old{i}{n}" for n in range(draw(st.integers(0, 4)))],
            queues=draw(st.lists(st.sampled_from(QUEUES), unique=True)),
            accepting=draw(st.booleans()),
            is_alive=draw(st.booleans()),
        )
        for i in range(count)
    ]


@settings(max_examples=200, deadline=None)
@given(jobs_of_all_kinds, workers_of_all_kinds())
def test_a_plan_keeps_its_promises(jobs, workers):
    result = plan(jobs, workers)
    by_id = {job.id: job for job in jobs}
    by_name = {worker.name: worker for worker in workers}

    assert sorted([*assigned(result), *result.reasons]) == sorted(by_id), "each job once, with an answer"
    placed: dict[str, int] = dict.fromkeys(by_name, 0)
    for choice in result.assignments:
        target = by_name[choice.worker]
        assert target.is_alive
        assert target.accepting
        assert by_id[choice.job_id].queue in target.queues
        placed[choice.worker] += 1
    for name, target in by_name.items():
        assert placed[name] <= target.free_slots, "no more jobs than slots"
        for gpu, memory in target.gpu_memory.items():
            there = [by_id[c.job_id] for c in result.assignments if c.worker == name and gpu in c.gpus]
            if not there:
                continue
            if any(job.gpu_memory is None for job in there):
                assert len(there) == 1, "a whole GPU is not shared"
                assert gpu in target.free_gpus
            else:
                assert gpu in (*target.free_gpus, *target.shared_gpus)
                taken = sum(job.gpu_memory or 0 for job in there) + target.shared_gpus.get(gpu, 0)
                assert taken <= memory, "no more than its memory"

    for waiting in result.reasons:
        for choice in result.assignments:
            lower, higher = by_id[choice.job_id], by_id[waiting]
            goes_first = (-higher.priority, higher.sequence) < (-lower.priority, lower.sequence)
            is_same_kind = (higher.queue, higher.gpus, higher.gpu_memory) == (
                lower.queue,
                lower.gpus,
                lower.gpu_memory,
            )
            assert not (goes_first and is_same_kind), f"{choice.job_id} went before {waiting}"


@settings(max_examples=100, deadline=None)
@given(jobs_of_all_kinds, workers_of_all_kinds())
def test_no_job_waits_where_it_would_still_fit(jobs, workers):
    """Whoever waits finds no room even after everything else was placed."""
    result = plan(jobs, workers)
    by_id = {job.id: job for job in jobs}
    left = []
    for each in workers:
        here = [choice for choice in result.assignments if choice.worker == each.name]
        gpus = tuple(sorted({*each.busy_gpus, *(gpu for choice in here for gpu in choice.gpus)}))
        shared = Counter(each.shared_gpus)
        for choice in here:
            shared.update(dict.fromkeys(choice.gpus, by_id[choice.job_id].gpu_memory or 0))
        shares = {gpu: taken for gpu, taken in shared.items() if taken}
        names = (*each.jobs, *(choice.job_id for choice in here))
        left.append(replace(each, jobs=names, busy_gpus=gpus, shared_gpus=shares))
    assert plan([job for job in jobs if job.id in result.reasons], left).assignments == []


@settings(max_examples=50, deadline=None)
@given(jobs_of_all_kinds, workers_of_all_kinds(), st.randoms())
def test_the_order_in_which_jobs_are_listed_decides_nothing(jobs, workers, random):
    shuffled = list(jobs)
    random.shuffle(shuffled)
    assert plan(shuffled, workers) == plan(jobs, workers)
