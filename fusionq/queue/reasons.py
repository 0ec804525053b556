"""Why a queued job waits, in words. It is written down nowhere, but worked out when somebody asks."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence

from fusionq.queue.planner import plan
from fusionq.queue.room import needed_gpus, queues_with_gpus
from fusionq.spec.units import format_bytes
from fusionq.store.store import Store
from fusionq.store.view import Need, View, WorkerView

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


def _why_nowhere(need: Need, workers: Sequence[WorkerView], serving: Sequence[WorkerView]) -> str:
    """Why no worker could ever take it; empty where one could."""
    if not workers:
        return f"no worker is alive; {START_A_WORKER}"
    if not serving:
        if any(need.queue in worker.queues for worker in workers):
            return f"the workers of the queue {need.queue!r} are starting, stopping or in quarantine"
        return f"no worker serves the queue {need.queue!r}; {START_A_WORKER} --queues {need.queue}"
    needed = needed_gpus(need, queues_with_gpus(serving))
    if needed > max(len(worker.gpu_memory) for worker in serving):
        return f"needs {needed} GPU; no worker alive has one"
    largest = max((size for worker in serving for size in worker.gpu_memory.values()), default=0)
    if needed and need.gpu_memory is not None and need.gpu_memory > largest:
        has = format_bytes(largest)
        return f"needs {format_bytes(need.gpu_memory)} of one GPU; the largest worker alive has {has}"
    return ""


def _what_for(need: Need, serving: Sequence[WorkerView], ahead: int) -> str:
    place = f"{ahead} ahead of it" if ahead else "it is next"
    if not needed_gpus(need, queues_with_gpus(serving)):
        return f"waits for a free slot, {place}"
    if need.gpu_memory is not None:
        return f"waits for {format_bytes(need.gpu_memory)} of a GPU, {place}"
    return f"waits for a free GPU, {place}"
