"""Puts its own worker into quarantine, and out of it again (suspicion: `fusionq.worker.failure_tracker`)."""

from __future__ import annotations

import logging

from fusionq.spec.units import format_duration
from fusionq.store.workers import WorkerRecord
from fusionq.worker.failure_tracker import SUSPECT_REST_S, Fall
from fusionq.worker.worker import Node

log = logging.getLogger("fusionq.worker")


def look_after(node: Node) -> None:
    """Called at every beat and after every job. Raises StoreUnavailableError."""
    health = node.health
    with health.judged():
        if health.is_resting and not node.store.workers.is_quarantined(node.name):
            health.note_success()  # somebody who may have mended it says that it is well
            _go_on(node)
        elif health.has_rested:
            node.store.workers.resume(node.name)
            _go_on(node)
        elif health.is_clear and health.is_excused(_failed_elsewhere(node)):
            log.warning("it was not to blame: jobs that failed here fail elsewhere, too")
            node.store.workers.resume(node.name)
            health.note_success()
            _go_on(node)
        elif health.is_suspect and not health.is_clear:
            _judge(node)


def _judge(node: Node) -> None:
    others = [worker for worker in node.store.workers.alive() if worker.name != node.name]
    if any(worker.succeeded_at >= node.health.falls[0].at for worker in others):
        _rest(node)
    elif not node.health.is_resting and any(_can_stand_in(worker, node) for worker in others):
        _wait_and_see(node)


def _failed_elsewhere(node: Node) -> set[str]:
    """Which victims have failed on another worker since."""
    victims = {fall.job_id: fall for fall in node.health.victims}
    return {
        record.id
        for record in node.store.jobs.get_many(victims)
        if record.failure == victims[record.id].failure
        and record.attempt > victims[record.id].attempt
        and record.worker != node.name
    }


def _can_stand_in(worker: WorkerRecord, node: Node) -> bool:
    return worker.accepting and not set(worker.queues).isdisjoint(node.options.queues)


def _rest(node: Node) -> None:
    falls = node.health.falls
    reason = f"{_in_a_row(falls)} while others succeeded elsewhere; {_again_after(node.health.rest_s)}"
    victims = [(fall.job_id, fall.attempt, fall.failure) for fall in falls]
    back = node.store.workers.quarantine(node.name, node.token, reason, victims)
    node.health.rest()
    _tell(node, f"{reason}; jobs that go back to their queues: {back}")


def _wait_and_see(node: Node) -> None:
    reason = f"{_in_a_row(node.health.falls)}; {_again_after(SUSPECT_REST_S)}"
    node.store.workers.quarantine(node.name, node.token, reason, ())
    node.health.wait_and_see()
    _tell(node, reason)


def _in_a_row(falls: list[Fall]) -> str:
    last = falls[-1]
    return f"{len(falls)} jobs in a row failed here within seconds (the last: {last.job_id}, {last.failure})"


def _again_after(seconds: float) -> str:
    return f"it tries again after {format_duration(seconds)}"


def _tell(node: Node, reason: str) -> None:
    log.error("in quarantine: %s", reason)
    node.register()
    node.sender.ask_for_pass(node.name)


def _go_on(node: Node) -> None:
    node.health.end_rest()
    log.warning("out of quarantine")
    node.register()
    node.sender.ask_for_pass(node.name)
