"""Whether every promise was kept, from the records, the journal, the weights and what is left."""

from __future__ import annotations

from dataclasses import dataclass, field

from fusionq.spec.states import Outcome
from fusionq.store import keys
from tests.chaos.journal import Line
from tests.chaos.weights import digest_of
from tests.chaos.world import World


@dataclass
class Verdict:
    """Ids of jobs, and names of what is left. Good is empty."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.different or self.left)


def judge(world: World) -> Verdict:
    """Once every job is over and every worker has left."""
    verdict = Verdict(left=_left(world))
    for record in world.records():
        if record.outcome is not Outcome.SUCCEEDED:
            verdict.lost.append(f"{record.id}: {record.state_word}, {record.reason}")
        elif digest_of(record) != world.expected[world.jobs[record.id]]:
            verdict.different.append(record.id)
    verdict.lost += sorted(set(world.jobs) - {record.id for record in world.records()})
    verdict.doubled = [told for job_id in world.jobs if (told := _doubling(list(world.journal.of(job_id))))]
    return verdict


def _doubling(lines: list[Line]) -> str:
    """The lines that should not be there among their neighbours; empty where there are none."""
    found = overlap(lines)
    if not found:
        return ""
    around = {near for line in found for near in range(lines.index(line) - 2, lines.index(line) + 3)}
    shown = [lines[index] for index in sorted(around) if 0 <= index < len(lines)]
    told = [f"{line.at:.3f} attempt {line.attempt} pid {line.pid} {line.what}" for line in shown]
    return "\n    ".join([f"{found[0].job_id}: {len(found)} lines that overlap, in", *told])


def overlap(lines: list[Line]) -> list[Line]:
    """Lines that one attempt wrote after a later one, or another process of the same one, had begun."""
    found = []
    newest = (0, 0)
    for line in lines:
        writer = (line.attempt, line.pid)
        if line.attempt < newest[0] or (line.attempt == newest[0] and writer != newest):
            found.append(line)
        else:
            newest = writer
    return found


def _left(world: World) -> list[str]:
    redis = world.store.redis
    held = [keys.LEASES, keys.ASSIGNED, keys.WAITING, keys.LANES, keys.USAGE]
    held += [key for name in world.names for key in (keys.worker_jobs(name), keys.worker_gpus(name))]
    left = [key for key in held if redis.exists(key)]
    left += [f"worker {worker.name}" for worker in world.store.workers.alive()]
    server = world.redis_pid()
    processes = [process for process in world.here.processes() if process.pid != server]
    return left + [f"process {process.pid}: {' '.join(process.cmdline())}" for process in processes]
