"""The names of Celery tasks and queues, spelled once."""

from __future__ import annotations

SCHEDULE_TASK = "fusionq.schedule"
RUN_TASK = "fusionq.run"
SEND_TASK = "fusionq.send"
CHECK_TASK = "fusionq.check"
EXEC_TASK = "fusionq.exec"

SCHEDULE_QUEUE = "schedule"


def node_queue(worker: str) -> str:
    """The queue that one worker alone listens to."""
    return f"node.{worker}"
