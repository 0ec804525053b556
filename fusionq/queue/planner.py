"""Which queued job goes to which worker now.

A pure function: no clock, no Redis, no Celery. It is the only place that decides about order and room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace

from fusionq.queue.room import Room, could_hold, needed_gpus, queues_with_gpus, rooms_of
from fusionq.store.view import Lane, QueuedJob, View


@dataclass(frozen=True)
class Assignment:
    job_id: str
    worker: str
    gpus: tuple[int, ...]
    members: tuple[tuple[str, tuple[int, ...]], ...] = ()  # other workers that train with it, and their GPUs


@dataclass
class _Progress:
    """How many jobs of a lane have been placed, and where others of it could be."""

    lane: Lane
    num_gpus: int
    rooms: Sequence[Room]
    patience_s: float
    done: int = 0
    is_over: bool = False

    @property
    def job(self) -> QueuedJob:
        return self.lane.jobs[self.done]

    def take(self, rooms: Sequence[Room]) -> Assignment:
        job = self.job
        self.done += 1
        self.is_over = self.done == len(self.lane.jobs)
        (worker, gpus), *members = (
            (room.worker.name, room.take(self.lane.need, self.num_gpus)) for room in rooms
        )
        return Assignment(job.id, worker, gpus, tuple(members))

    def fitting(self, rooms: Sequence[Room]) -> list[Room]:
        return [room for room in rooms if room.fits(self.lane.need, self.num_gpus)]

    def give_up(self) -> None:
        """Where there is no room on any worker, there is none for the jobs behind it in its lane either."""
        if len(self.fitting(self.rooms)) < self.lane.need.nodes:
            self.is_over = True
            for room in self.rooms if self.num_gpus else ():
                room.keep_for(self.lane.need)
            self._gather()

    def _gather(self) -> None:
        """Smaller jobs must not for ever take what a large one waits for: the fittest worker keeps it."""
        need = self.lane.need
        is_large = self.num_gpus > 1 or need.cpus or need.memory or need.nodes > 1
        if not is_large or self.done or self.lane.waited_s <= self.patience_s:
            return
        able = [room for room in self.rooms if could_hold(room.worker, need, self.num_gpus)]
        for closest in _emptiest_first(able)[: need.nodes]:
            closest.gather_for(need, self.num_gpus)


@dataclass
class _Claim:
    """What a lane claims of the workers that name its queue at this place of their lists."""

    progress: _Progress
    rank: int
    rooms: Sequence[Room]

    def key(self, usage: Mapping[str, int] | None) -> tuple[int, ...]:
        """Which claim goes first. It only ever grows while a plan is made."""
        job = self.progress.job
        active = usage[self.progress.lane.need.user] if usage is not None else 0
        return (-job.priority, self.rank, active, job.sequence)

    def choice(self) -> Sequence[Room]:
        """The emptiest that have room: jobs spread, and each gets more of its machine. [] where too few have.

        One that needs several workers takes them wherever its queue stands in their lists.
        """
        nodes = self.progress.lane.need.nodes
        fitting = self.progress.fitting(self.rooms if nodes == 1 else self.progress.rooms)
        return _emptiest_first(fitting)[:nodes] if len(fitting) >= nodes else ()


def _emptiest_first(rooms: Sequence[Room]) -> list[Room]:
    return sorted(rooms, key=lambda room: (len(room.gpus), room.slots), reverse=True)


def plan(view: View) -> list[Assignment]:
    """Assign queued jobs to workers with room, best first.

    On each worker a higher priority goes first, then the queue that the worker names first, then the user
    with fewer jobs assigned or running (unless the order is not to be fair), then who was submitted first.
    """
    usage = Counter(view.usage)
    in_order = usage if view.is_fair else None
    slots = sum(worker.free_slots for worker in view.workers if worker.accepting)
    heap = [(claim.key(in_order), number, claim) for number, claim in enumerate(_claims(view))]
    heapify(heap)
    made: list[Assignment] = []
    while heap and len(made) < slots:
        key, number, claim = heap[0]
        progress = claim.progress
        if progress.is_over:
            heappop(heap)
        elif (now := claim.key(in_order)) != key:  # others went on since: look again at its turn
            heapreplace(heap, (now, number, claim))
        elif rooms := claim.choice():
            made.append(progress.take(rooms))
            usage[progress.lane.need.user] += 1
        else:
            progress.give_up()
            heappop(heap)
    return made


def _claims(view: View) -> Iterator[_Claim]:
    rooms, with_gpus = rooms_of(view.workers), queues_with_gpus(view.workers)
    for lane in view.lanes:
        queue = lane.need.queue
        if lane.jobs and queue in rooms and queue not in view.paused:
            serving = [room for there in rooms[queue].values() for room in there]
            progress = _Progress(lane, needed_gpus(lane.need, with_gpus), serving, view.patience_s)
            yield from (_Claim(progress, rank, there) for rank, there in rooms[queue].items())
