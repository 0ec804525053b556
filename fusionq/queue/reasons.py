"""Why a queued job waits, in words. It is written down nowhere, but worked out when somebody asks."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence

from fusionq.queue.planner import plan
from fusionq.queue.room import could_hold, gpus_of_type, has_labels, needed_gpus, queues_with_gpus
from fusionq.spec.units import format_bytes
from fusionq.store.need import Need
from fusionq.store.store import Store
from fusionq.store.view import View, WorkerView

START_A_WORKER = "start one: fusionq worker"


def why_each(store: Store, ids: Iterable[str]) -> dict[str, str]:
    """Why jobs wait, or the next job of a sweep. Left out is what is about to start, or is not queued."""
    view = store.view()
    starting = {choice.job_id for choice in plan(view)}
    places = store.queues.places([*ids, *starting])
    gone: dict[str, list[int]] = defaultdict(list)  # places that are about to be free, by queue
    for place in (places[job_id] for job_id in starting if job_id in places):
        insort(gone[place.need.queue], place.ahead)
    return {
        asked: why(place.need, view, place.ahead - bisect_left(gone[place.need.queue], place.ahead))
        for asked, place in places.items()
        if place.job_id not in starting
    }


def why(need: Need, view: View, ahead: int) -> str:
    """Why a job of this need does not start, with so many others of its queue ahead of it."""
    if need.queue in view.paused:
        reason = view.paused[need.queue]
        return f"queue {need.queue!r} is paused" + (f": {reason}" if reason else "")
    serving = [worker for worker in view.workers if worker.accepting and need.queue in worker.queues]
    return _why_nowhere(need, view.workers, serving) or _what_for(need, serving, ahead)


def why_never(need: Need, view: View) -> str:
    """Returns why no living worker could ever take a job; '' where one could, or is about to be ready."""
    is_served = any(need.queue in worker.queues for worker in view.workers)
    serving = [worker for worker in view.workers if worker.accepting and need.queue in worker.queues]
    return "" if is_served and not serving else _why_nowhere(need, view.workers, serving)


def _why_nowhere(need: Need, workers: Sequence[WorkerView], serving: Sequence[WorkerView]) -> str:
    """Why no worker could ever take it; empty where one could."""
    if not workers:
        return f"no worker is alive; {_start_one(need.queue)}"
    if not serving:
        if problem := _problem(need, workers):
            return problem
        if any(need.queue in worker.queues for worker in workers):
            return f"the workers of the queue {need.queue!r} are starting, stopping or in quarantine"
        return f"no worker serves the queue {need.queue!r}; {_start_one(need.queue)}"
    return _what_is_missing(need, serving, needed_gpus(need, queues_with_gpus(serving)))


def _start_one(queue: str) -> str:
    return START_A_WORKER if queue == "default" else f"{START_A_WORKER} --queues {queue}"


def _problem(need: Need, workers: Sequence[WorkerView]) -> str:
    """What keeps the first worker of its queue from taking anything that tells it."""
    found = (worker for worker in workers if need.queue in worker.queues and worker.problem)
    return next((f"the worker {worker.name} takes no jobs: {worker.problem}" for worker in found), "")


def _what_is_missing(need: Need, serving: Sequence[WorkerView], num_gpus: int) -> str:
    """What no worker of its queue has enough of, even if it were empty; '' where one could hold the job."""
    able = sum(could_hold(worker, need, num_gpus) for worker in serving)
    if able >= need.nodes:
        return ""
    if able:
        return f"needs {need.nodes} workers that can hold it; {able} {'is' if able == 1 else 'are'} alive"
    labelled = [worker for worker in serving if has_labels(worker, need)]
    if not labelled:
        return f"needs a worker with the labels {', '.join(need.labels)}; none alive has them"
    if num_gpus and not any(worker.gpu_memory for worker in labelled):
        return f"needs {_gpus(num_gpus)}; no worker alive has one"
    most = max(len(gpus_of_type(worker, need)) for worker in labelled)
    if num_gpus and need.gpu_type and not most:
        has = ", ".join(sorted({name for worker in labelled for name in worker.gpu_names.values()}))
        return f"needs a GPU of the type {' or '.join(need.gpu_type)}; the workers alive have {has}"
    if num_gpus > most:
        return f"needs {_gpus(num_gpus)}; the largest worker alive has {most}"
    for wanted, sizes, words in (
        (need.cpus, [worker.cpus for worker in labelled], _cores),
        (need.memory, [worker.memory for worker in labelled], _of_memory),
    ):
        if wanted and None not in sizes and wanted > max(sizes):
            return f"needs {words(wanted)}; the largest worker alive has {words(max(sizes))}"
    largest = max((size for worker in labelled for size in worker.gpu_memory.values()), default=0)
    if num_gpus and need.gpu_memory is not None and need.gpu_memory > largest:
        wanted, has = format_bytes(need.gpu_memory), format_bytes(largest)
        return f"needs {wanted} of one GPU; the largest worker alive has {has}"
    return "needs more than any worker alive has"


def _cores(number: int) -> str:
    return f"{number} cores"


def _of_memory(size: int) -> str:
    return f"{format_bytes(size)} of memory"


def _all_blocked(need: Need, serving: Sequence[WorkerView]) -> str:
    """Why every GPU that the job could have is kept from jobs, by the first of them; '' where one is not."""
    suitable = [(worker, gpu) for worker in serving for gpu in gpus_of_type(worker, need)]
    if any(gpu not in worker.blocked for worker, gpu in suitable):
        return ""
    return next((f"GPU {gpu} of {worker.name}: {worker.blocked[gpu]}" for worker, gpu in suitable), "")


def _gpus(number: int) -> str:
    return f"{number} GPU" if number == 1 else f"{number} GPUs"


def _what_for(need: Need, serving: Sequence[WorkerView], ahead: int) -> str:
    place = f"{ahead} ahead of it" if ahead else "it is next"
    num_gpus = needed_gpus(need, queues_with_gpus(serving))
    if need.nodes > 1:
        each = f" with {_gpus(num_gpus)} each" if num_gpus else ""
        return f"waits for room on {need.nodes} workers{each}, {place}"
    if num_gpus and (kept := _all_blocked(need, serving)):
        return f"waits for a GPU; {kept}"
    if num_gpus > 1:
        return f"waits for {num_gpus} free GPUs of one worker, {place}"
    if num_gpus and need.gpu_memory is not None:
        return f"waits for {format_bytes(need.gpu_memory)} of a GPU, {place}"
    if num_gpus:
        return f"waits for a free GPU, {place}"
    host = [_cores(need.cpus)] if need.cpus else []
    host += [_of_memory(need.memory)] if need.memory else []
    return f"waits for a free slot{' with ' if host else ''}{' and '.join(host)}, {place}"
