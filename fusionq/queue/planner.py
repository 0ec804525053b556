"""Which queued job goes to which worker now.

A pure function: no clock, no Redis, no Celery. It is the only place that decides about order and room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

from fusionq.queue.room import Room, needed_gpus, rooms_of
from fusionq.store.view import Lane, View


@dataclass(frozen=True)
class Assignment:
    job_id: str
    worker: str
    gpus: tuple[int, ...]


@dataclass
class _Progress:
    """How many jobs of a lane have been placed."""

    lane: Lane
    num_gpus: int
    done: int = 0

    @property
    def is_over(self) -> bool:
        return self.done >= len(self.lane.jobs)


@dataclass
class _Claim:
    """What a lane claims of the workers that name its queue at this place of their lists."""

    progress: _Progress
    rank: int
    rooms: Sequence[Room]

    def key(self, usage: Mapping[str, int] | None) -> tuple[int, ...]:
        """Which claim goes first. It only ever grows while a plan is made."""
        lane = self.progress.lane
        job = lane.jobs[self.progress.done]
        active = usage[lane.need.user] if usage is not None else 0
        return (-job.priority, self.rank, active, job.sequence)

    def room(self) -> Room | None:
        """The emptiest one that has room: jobs spread, and each gets more of its machine."""
        fitting = [room for room in self.rooms if room.fits(self.progress.lane.need, self.progress.num_gpus)]
        return max(fitting, key=lambda room: (len(room.gpus), room.slots), default=None)

    def take(self, room: Room) -> Assignment:
        progress = self.progress
        job = progress.lane.jobs[progress.done]
        progress.done += 1
        return Assignment(job.id, room.worker.name, room.take(progress.lane.need, progress.num_gpus))

    def keep_rooms(self) -> None:
        if self.progress.num_gpus:
            for room in self.rooms:
                room.keep_for(self.progress.lane.need)


def plan(view: View) -> list[Assignment]:
    """Assign queued jobs to workers with room, best first.

    On each worker a higher priority goes first, then the queue that the worker names first, then the user
    with fewer jobs assigned or running (unless the order is not to be fair), then who was submitted first.
    """
    usage = Counter(view.usage)
    in_order = usage if view.is_fair else None
    heap = [(claim.key(in_order), number, claim) for number, claim in enumerate(_claims(view))]
    heapify(heap)
    made = []
    while heap:
        key, number, claim = heap[0]
        if claim.progress.is_over:
            heappop(heap)
        elif (now := claim.key(in_order)) != key:  # others went on since: look again at its turn
            heapreplace(heap, (now, number, claim))
        elif room := claim.room():
            made.append(claim.take(room))
            usage[claim.progress.lane.need.user] += 1
        else:  # nor will any job behind it in its lane find room
            claim.keep_rooms()
            heappop(heap)
    return made


def _claims(view: View) -> Iterator[_Claim]:
    rooms = rooms_of(view.workers)
    for lane in view.lanes:
        if lane.jobs and lane.need.queue not in view.paused:
            ranked = rooms.get(lane.need.queue, {})
            serving = [room.worker for there in ranked.values() for room in there]
            progress = _Progress(lane, needed_gpus(lane.need, serving))
            yield from (_Claim(progress, rank, there) for rank, there in ranked.items())
