"""What Celery and the embedded Redis leave behind over the years, and nobody else takes away."""

from __future__ import annotations

from pathlib import Path

from fusionq.queue.names import SCHEDULE_QUEUE, node_queue
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.keys import CELERY_PREFIX
from fusionq.store.store import Store

# How kombu keeps which queues an exchange sends to: a set for each exchange, three parts in a member.
_BINDINGS = (f"{CELERY_PREFIX}_kombu.binding.", f"{CELERY_PREFIX}_kombu.binding_permanent.")
_PART = "\x06\x16"

_NODES = node_queue("")


def forget_leftovers(store: Store, home: Path) -> None:
    """Workers that stayed away for a day, queues of absent ones, old lines of the embedded Redis's log."""
    store.workers.forget_silent()
    forget_queues_of_absent_workers(store)
    EmbeddedRedis(home).trim_log()


def forget_queues_of_absent_workers(store: Store) -> int:
    """Remove the Celery queues of workers that are not on the list any more. Returns how many.

    One that comes back declares its queue again.
    """
    bindings = [prefix + SCHEDULE_QUEUE for prefix in _BINDINGS]
    members = {member for key in bindings for member in store.redis.smembers(key)}
    # Looked up last: a worker is on the list before it declares its queue.
    known = {node_queue(worker.name) for worker in store.workers.all()}
    absent = [
        member for member in members if _queue(member).startswith(_NODES) and _queue(member) not in known
    ]
    pipe = store.redis.pipeline()
    for member in absent:
        pipe.delete(CELERY_PREFIX + _queue(member))
        for key in bindings:
            pipe.srem(key, member)
    pipe.execute()
    return len(absent)


def _queue(member: str) -> str:
    return member.split(_PART)[-1]
