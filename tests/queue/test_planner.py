"""The planner: who goes where now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from fusionq.queue.planner import Assignment, plan
from fusionq.spec.record import JobRecord
from fusionq.store.workers import WorkerRecord
from tests.queue.planned import job, view, worker


def planned(jobs: Sequence[JobRecord], workers: Sequence[WorkerRecord], **more) -> list[Assignment]:
    return plan(view(jobs, workers, **more))


def assigned(jobs: Sequence[JobRecord], workers: Sequence[WorkerRecord], **more) -> list[str]:
    return [choice.job_id for choice in planned(jobs, workers, **more)]


# --- order -----------------------------------------------------------------------------------------


def test_the_first_come_goes_first():
    jobs = [job("late", sequence=2), job("early", sequence=1)]
    assert assigned(jobs, [worker()]) == ["early"]


def test_a_higher_priority_goes_before_an_earlier_submission():
    jobs = [job("early", sequence=1), job("urgent", sequence=2, priority=5), job("idle", priority=-5)]
    assert assigned(jobs, [worker(slots=3)]) == ["urgent", "early", "idle"]


def test_a_job_that_does_not_fit_does_not_hold_up_a_later_one():
    jobs = [job("big", sequence=1, gpus="1"), job("small", sequence=2, gpus="0")]
    assert assigned(jobs, [worker()]) == ["small"]


def test_the_user_with_fewer_jobs_assigned_or_running_goes_first():
    jobs = [job("a", sequence=1, user="ada"), job("b", sequence=2, user="bob")]
    assert assigned(jobs, [worker()], usage={"ada": 2, "bob": 1}) == ["b"]
    assert assigned(jobs, [worker()], usage={"ada": 1, "bob": 1}) == ["a"]
    assert assigned(jobs, [worker()], usage={"ada": 1}) == ["b"]


def test_what_the_plan_assigns_counts_for_its_user_at_once():
    jobs = [job(f"a{i}", sequence=i, user="ada") for i in range(4)]
    jobs += [job(f"b{i}", sequence=10 + i, user="bob", gpus="0") for i in range(2)]
    assert assigned(jobs, [worker(slots=4)]) == ["a0", "b0", "a1", "b1"]


def test_a_higher_priority_goes_before_a_user_with_fewer_jobs():
    jobs = [job("a", sequence=1, user="ada", priority=1), job("b", sequence=2, user="bob")]
    assert assigned(jobs, [worker()], usage={"ada": 9}) == ["a"]


def test_in_the_order_of_submission_it_does_not_matter_who_has_how_many():
    jobs = [job(f"a{i}", sequence=i, user="ada") for i in range(3)] + [job("b", sequence=9, user="bob")]
    assert assigned(jobs, [worker(slots=3)], usage={"ada": 5}, is_fair=False) == ["a0", "a1", "a2"]


def test_a_worker_takes_first_from_the_queue_that_it_names_first():
    jobs = [job("slow", sequence=1, queue="big"), job("quick", sequence=2, queue="small")]
    assert assigned(jobs, [worker(queues=["small", "big"])]) == ["quick"]
    assert assigned(jobs, [worker(queues=["big", "small"])]) == ["slow"]


def test_a_higher_priority_goes_before_the_order_of_queues():
    jobs = [job("slow", sequence=1, queue="big", priority=1), job("quick", sequence=2, queue="small")]
    assert assigned(jobs, [worker(queues=["small", "big"])]) == ["slow"]


def test_each_worker_keeps_to_its_own_order_of_queues():
    jobs = [job("slow", sequence=1, queue="big"), job("quick", sequence=2, queue="small")]
    workers = [worker("s", queues=["small", "big"]), worker("b", queues=["big", "small"])]
    assert planned(jobs, workers) == [Assignment("slow", "b", ()), Assignment("quick", "s", ())]


def test_a_paused_queue_starts_nothing_and_holds_up_no_other():
    jobs = [job("a", sequence=1, queue="big", priority=9), job("b", sequence=2)]
    assert assigned(jobs, [worker(slots=2, queues=["big", "default"])], paused={"big": ""}) == ["b"]


# --- room ------------------------------------------------------------------------------------------


def test_a_worker_gets_no_more_jobs_than_it_has_free_slots():
    jobs = [job(f"j{i}", sequence=i) for i in range(5)]
    assert assigned(jobs, [worker(slots=3, jobs=["busy"])]) == ["j0", "j1"]


def test_each_job_gets_a_free_gpu_of_its_own():
    jobs = [job("a", sequence=1), job("b", sequence=2), job("c", sequence=3)]
    here = worker(slots=4, gpus=3, busy_gpus=[1], jobs=["busy"])
    assert planned(jobs, [here]) == [Assignment("a", "w", (0,)), Assignment("b", "w", (2,))]


def test_auto_means_the_cpu_where_no_worker_of_the_queue_has_a_gpu():
    elsewhere = worker("elsewhere", gpus=1, queues=["other"])
    assert planned([job("a")], [worker("here"), elsewhere]) == [Assignment("a", "here", ())]


def test_auto_waits_for_a_gpu_where_any_worker_of_the_queue_has_one():
    busy = worker("with-gpu", slots=2, gpus=1, busy_gpus=[0], jobs=["busy"])
    assert planned([job("a")], [busy, worker("without")]) == []


def test_a_job_that_wants_no_gpu_leaves_the_gpus_free():
    jobs = [job("cpu", sequence=1, gpus="0"), job("gpu", sequence=2, gpus="1")]
    assert planned(jobs, [worker(slots=2, gpus=1)]) == [
        Assignment("cpu", "w", ()),
        Assignment("gpu", "w", (0,)),
    ]


def test_a_job_goes_only_to_a_worker_that_serves_its_queue():
    workers = [worker("small"), worker("large", queues=["default", "big"])]
    assert planned([job("a", queue="big")], workers) == [Assignment("a", "large", ())]


def test_a_dead_worker_and_one_that_takes_nothing_more_get_no_job():
    workers = [worker("dead", is_alive=False), worker("leaving", accepting=False)]
    assert planned([job("a")], workers) == []


def test_jobs_spread_over_the_emptiest_workers():
    workers = [worker("full", slots=4, jobs=["x", "y"]), worker("empty", slots=4)]
    jobs = [job(f"j{i}", sequence=i) for i in range(4)]
    assert [choice.worker for choice in planned(jobs, workers)] == [
        "empty",
        "empty",
        "full",
        "empty",
    ]


# --- GPUs that are shared --------------------------------------------------------------------------


def sharing(job_id: str, gpu_memory: int, sequence: int = 1, **more):
    return job(job_id, gpu_memory=gpu_memory, sequence=sequence, **more)


def test_jobs_that_say_how_much_they_need_share_a_gpu_up_to_its_memory():
    jobs = [sharing("a", 30, 1), sharing("b", 50, 2), sharing("c", 1, 3)]
    here = worker(slots=9, gpus=1, memory=80)
    assert planned(jobs, [here]) == [Assignment("a", "w", (0,)), Assignment("b", "w", (0,))]


def test_a_job_shares_the_fullest_gpu_and_leaves_others_whole():
    here = worker(slots=9, gpus=4, memory=[80, 80, 80, 40], jobs=["x", "y"], shared_gpus={0: 10, 2: 40})
    assert planned([sharing("a", 40)], [here]) == [Assignment("a", "w", (2,))]
    assert planned([sharing("a", 60)], [here]) == [Assignment("a", "w", (0,))]
    assert planned([sharing("a", 75)], [here]) == [Assignment("a", "w", (1,))]
    assert planned([job("a")], [here]) == [Assignment("a", "w", (1,))]


def test_a_job_that_says_nothing_gets_a_gpu_to_itself():
    jobs = [sharing("a", 1, 1), job("b", sequence=2), sharing("c", 1, 3)]
    result = planned(jobs, [worker(slots=9, gpus=2)])
    assert result[:2] == [Assignment("a", "w", (0,)), Assignment("b", "w", (1,))]


def test_a_gpu_that_a_job_has_to_itself_is_not_shared():
    assert planned([sharing("a", 1)], [worker(slots=9, gpus=1, busy_gpus=[0], jobs=["x"])]) == []


def test_a_small_job_does_not_keep_a_larger_one_before_it_from_its_gpu_for_ever():
    here = worker(slots=9, gpus=1, memory=80, jobs=["x"], shared_gpus={0: 50})
    for waiting in (sharing("large", 60), job("whole")):
        assert assigned([waiting, sharing("small", 10, 2)], [here]) == []
        assert assigned([sharing("small", 10, 0), waiting], [here]) == ["small"]


def test_a_job_that_fits_no_gpu_keeps_nobody_from_it():
    here = worker(slots=9, gpus=1, memory=24_000_000_000, jobs=["x"], shared_gpus={0: 5})
    assert assigned([sharing("huge", 40_000_000_000), sharing("small", 10, 2)], [here]) == ["small"]


def test_memory_of_a_gpu_is_no_matter_where_auto_means_the_cpu():
    assert planned([sharing("a", 99)], [worker()]) == [Assignment("a", "w", ())]
    assert planned([sharing("a", 99, gpus="1")], [worker()]) == []


def test_a_job_that_will_start_elsewhere_keeps_nobody_from_a_gpu():
    full = worker("full", slots=9, gpus=1, memory=80, jobs=["x"], shared_gpus={0: 50}, queues=["a", "b"])
    free = worker("free", slots=9, gpus=1, memory=80, queues=["b", "a"])
    jobs = [sharing("large", 60, 1, queue="a"), sharing("small", 10, 2, queue="a")]
    expected = [Assignment("small", "full", (0,)), Assignment("large", "free", (0,))]
    assert planned(jobs, [full, free]) == expected


# --- what always holds -----------------------------------------------------------------------------

QUEUES = ("default", "big")
USERS = ("ada", "bob", "eve")

jobs_of_all_kinds = st.lists(
    st.builds(
        job,
        st.just(""),
        priority=st.integers(-1, 1),
        queue=st.sampled_from(QUEUES),
        user=st.sampled_from(USERS),
        gpus=st.sampled_from(["auto", "0", "1"]),
        gpu_memory=st.sampled_from([None, None, 20, 50, 90]),
    ),
    max_size=14,
).map(lambda jobs: [replace(job, id=f"j{i}", sequence=i) for i, job in enumerate(jobs)])

policies = st.fixed_dictionaries(
    {
        "usage": st.dictionaries(st.sampled_from(USERS), st.integers(1, 4)),
        "paused": st.sampled_from([{}, {}, {"big": "maintenance"}]),
        "is_fair": st.booleans(),
    }
)


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


def after(made: Sequence[Assignment], jobs: Sequence[JobRecord], workers: Sequence[WorkerRecord]):
    """The workers once they have what the plan gives them."""
    by_id = {job.id: job for job in jobs}
    left = []
    for each in workers:
        here = [choice for choice in made if choice.worker == each.name]
        gpus = tuple(sorted({*each.busy_gpus, *(gpu for choice in here for gpu in choice.gpus)}))
        shared = Counter(each.shared_gpus)
        for choice in here:
            shared.update(dict.fromkeys(choice.gpus, by_id[choice.job_id].gpu_memory or 0))
        shares = {gpu: taken for gpu, taken in shared.items() if taken}
        names = (*each.jobs, *(choice.job_id for choice in here))
        left.append(replace(each, jobs=names, busy_gpus=gpus, shared_gpus=shares))
    return left


@settings(max_examples=200, deadline=None)
@given(jobs_of_all_kinds, workers_of_all_kinds(), policies)
def test_no_slot_and_no_gpu_is_given_away_twice(jobs, workers, policy):
    made = planned(jobs, workers, **policy)
    by_id = {job.id: job for job in jobs}
    by_name = {worker.name: worker for worker in workers}
    assert len({choice.job_id for choice in made}) == len(made), "each job once"
    for choice in made:
        target = by_name[choice.worker]
        assert target.is_alive
        assert target.accepting
        assert by_id[choice.job_id].queue in target.queues
        assert by_id[choice.job_id].queue not in policy["paused"]
    for name, target in by_name.items():
        assert sum(choice.worker == name for choice in made) <= target.free_slots, "no more jobs than slots"
        for gpu, memory in target.gpu_memory.items():
            there = [by_id[c.job_id] for c in made if c.worker == name and gpu in c.gpus]
            if not there:
                continue
            if any(job.gpu_memory is None for job in there):
                assert len(there) == 1, "a whole GPU is not shared"
                assert gpu in target.free_gpus
            else:
                assert gpu in (*target.free_gpus, *target.shared_gpus)
                taken = sum(job.gpu_memory or 0 for job in there) + target.shared_gpus.get(gpu, 0)
                assert taken <= memory, "no more than its memory"


@settings(max_examples=300, deadline=None)
@given(jobs_of_all_kinds, workers_of_all_kinds(), policies)
def test_nobody_takes_a_place_that_somebody_before_him_waits_for(jobs, workers, policy):
    """By priority, then the worker's order of queues, then who has fewer jobs, then submission."""
    made = planned(jobs, workers, **policy)
    placed = {choice.job_id for choice in made}
    waiting = [job for job in jobs if job.id not in placed and job.queue not in policy["paused"]]
    by_id = {job.id: job for job in jobs}
    by_name = {worker.name: worker for worker in workers}
    usage = Counter(policy["usage"])

    def key(job: JobRecord, queues: Sequence[str]) -> tuple[int, ...]:
        active = usage[job.user] if policy["is_fair"] else 0
        return (-job.priority, queues.index(job.queue), active, job.sequence)

    for choice in made:
        goes, queues = by_id[choice.job_id], by_name[choice.worker].queues
        for other in waiting:
            is_as_small = other.gpus == "0" or (other.queue, other.gpus, other.gpu_memory) == (
                goes.queue,
                goes.gpus,
                goes.gpu_memory,
            )
            if other.queue in queues and is_as_small:
                assert key(goes, queues) < key(other, queues), f"{goes.id} went before {other.id}"
        usage[goes.user] += 1


@settings(max_examples=100, deadline=None)
@given(jobs_of_all_kinds, workers_of_all_kinds(), st.booleans())
def test_no_job_waits_where_it_would_still_fit(jobs, workers, is_fair):
    """Whoever waits finds no room even after everything else was placed."""
    made = planned(jobs, workers, is_fair=is_fair)
    placed = {choice.job_id: choice for choice in made}
    usage = Counter(job.user for job in jobs if job.id in placed)
    waiting = [job for job in jobs if job.id not in placed]
    assert planned(waiting, after(made, jobs, workers), usage=usage, is_fair=is_fair) == []


@settings(max_examples=100, deadline=None)
@given(jobs_of_all_kinds, workers_of_all_kinds(), policies)
def test_as_many_jobs_of_each_lane_as_there_are_slots_are_enough_to_look_at(jobs, workers, policy):
    most = sum(worker.free_slots for worker in workers)
    assert planned(jobs, workers, most=most, **policy) == planned(jobs, workers, **policy)


@settings(max_examples=50, deadline=None)
@given(jobs_of_all_kinds, workers_of_all_kinds(), policies, st.randoms())
def test_the_order_in_which_lanes_are_listed_decides_nothing(jobs, workers, policy, random):
    seen = view(jobs, workers, **policy)
    lanes = list(seen.lanes)
    random.shuffle(lanes)
    assert plan(replace(seen, lanes=lanes)) == plan(seen)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=2, max_size=3), st.integers(1, 6))
def test_users_who_all_wait_get_the_same_number_of_slots_to_within_one(counts, slots):
    jobs = [job(f"{user}-{i}", user=str(user)) for user, count in enumerate(counts) for i in range(count)]
    jobs = [replace(each, sequence=number) for number, each in enumerate(jobs)]
    got = Counter(job_id.split("-")[0] for job_id in assigned(jobs, [worker(slots=slots)]))
    waits = [str(user) for user, count in enumerate(counts) if got[str(user)] < count]
    assert all(got[user] >= max(got.values()) - 1 for user in waits)
