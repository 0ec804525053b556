"""One scheduling pass: read, plan, commit each assignment, send it on its way."""

from __future__ import annotations

import uuid

from fusionq.queue.planner import plan
from fusionq.queue.sender import Sender
from fusionq.store.store import Store

START_WITHIN_S = 10.0  # an assigned job that was not started by then goes back to its queue


def schedule(store: Store, sender: Sender) -> int:
    """Assign whatever fits now. Returns how many jobs were assigned; 0 where another pass runs."""
    token = uuid.uuid4().hex
    if not store.passes.begin(token):
        return 0
    assigned, is_over = 0, False
    try:
        while not is_over:
            assigned += _one_pass(store, sender)
            is_over = not store.passes.end(token)  # or somebody asked while we worked
    finally:
        if not is_over:
            store.passes.end(token)  # a pass that broke off must not keep others from trying
    return assigned


def _one_pass(store: Store, sender: Sender) -> int:
    store.jobs.promote()
    assigned = 0
    for choice in plan(store.view()):
        # The plan may be out of date by now; the script looks again and answers 0.
        attempt = store.jobs.assign(choice.job_id, choice.worker, choice.gpus, START_WITHIN_S, choice.members)
        if attempt:
            for worker in (choice.worker, *(name for name, _ in choice.members)):
                sender.run(worker, choice.job_id, attempt)
            assigned += 1
    return assigned
