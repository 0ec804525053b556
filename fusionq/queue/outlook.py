"""What a queued job may hope for: who could take it, and when that is likely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fusionq.queue.reasons import why_each
from fusionq.queue.room import could_hold, needed_gpus, queues_with_gpus
from fusionq.store.need import Need
from fusionq.store.store import Store
from fusionq.store.view import View


class Outlook(NamedTuple):
    """`starts_in_s` is None where nobody can tell, as when a job that runs has not said how long it takes."""

    reason: str = ""  # '' where it is about to start
    workers: tuple[str, ...] = ()
    starts_in_s: float | None = None


def outlook_of(store: Store, job_id: str) -> Outlook:
    """Of a queued job, at this moment."""
    reason = why_each(store, [job_id]).get(job_id, "")
    places = store.queues.places([job_id])
    if not reason or job_id not in places:
        return Outlook(reason)
    able = workers_for(places[job_id].need, store.view())
    names = {name for worker in store.workers.alive() if worker.name in able for name in worker.jobs}
    left = [record.progress.get("eta_s") for record in store.jobs.get_many(names)]
    return Outlook(reason, able, starts_in_s(left, places[job_id].ahead))


def workers_for(need: Need, view: View) -> tuple[str, ...]:
    """The living workers on which it would fit if nothing else ran there, by name."""
    if need.queue in view.paused:
        return ()
    serving = [worker for worker in view.workers if worker.accepting and need.queue in worker.queues]
    num_gpus = needed_gpus(need, queues_with_gpus(serving))
    return tuple(worker.name for worker in serving if could_hold(worker, need, num_gpus))


def starts_in_s(left: Sequence[float | None], ahead: int) -> float | None:
    """When so many others went before it, each into the room of a job that has so many seconds left."""
    if None in left or ahead >= len(left):
        return None
    return sorted(seconds for seconds in left if seconds is not None)[ahead]
