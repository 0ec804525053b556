"""Sending Celery messages, with outages in our own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu import pools
from kombu.exceptions import OperationalError

from fusionq.queue.names import (
    CHECK_TASK,
    EXEC_TASK,
    RUN_TASK,
    SCHEDULE_QUEUE,
    SCHEDULE_TASK,
    SEND_TASK,
    node_queue,
)
from fusionq.store.keys import CELERY_PREFIX
from fusionq.store.outages import unavailable
from fusionq.store.store import Store

QUEUE_HOLDS_S = 60  # a queue that nobody listens to goes so long after its last message, which was sent again
MOST_WAITING = 1000  # messages in a queue, as many as a worker has slots; beyond that the oldest go


class Sender:
    def __init__(self, app: Celery, store: Store) -> None:
        self._app = app
        self._store = store

    def ask_for_pass(self, worker: str = "") -> None:
        """Make sure that a scheduling pass runs soon. Raises StoreUnavailableError.

        A worker that asks names itself: what is sent to all may reach one that stands still.
        """
        if worker:
            self._send(SCHEDULE_TASK, [], node_queue(worker))
        elif self._store.passes.wish():
            self._send(SCHEDULE_TASK, [], SCHEDULE_QUEUE)

    def run(self, worker: str, job_id: str, attempt: int) -> None:
        """Tell a worker to start an attempt. Raises StoreUnavailableError."""
        self._send(RUN_TASK, [job_id, attempt], node_queue(worker), task_id=f"{job_id}.{attempt}")

    def send_files(self, worker: str, job_id: str, parts: Sequence[str], token: str) -> None:
        """Ask a worker for files of a job. Raises StoreUnavailableError."""
        self._send(SEND_TASK, [job_id, list(parts), token], node_queue(worker))

    def check(self, worker: str, token: str) -> None:
        """Ask a worker for the check whose question lies under a token. Raises StoreUnavailableError."""
        self._send(CHECK_TASK, [token], node_queue(worker))

    def run_command(self, worker: str, token: str) -> None:
        """Ask a worker for the command whose request lies under a token. Raises StoreUnavailableError."""
        self._send(EXEC_TASK, [token], node_queue(worker))

    def close(self) -> None:
        """Let go of the connections; `app.close()` alone leaves those in kombu's pools open."""
        self._app.close()
        pools.reset()

    def _send(self, name: str, args: Sequence[Any], queue: str, task_id: str | None = None) -> None:
        try:
            self._app.send_task(
                name,
                args,
                queue=queue,
                task_id=task_id,
                ignore_result=True,
                retry=False,
            )
        except (OperationalError, RuntimeError, OSError) as error:
            raise unavailable(self._store.redis.shown_url, error) from error
        self._keep_short(CELERY_PREFIX + queue)

    def _keep_short(self, key: str) -> None:
        """What nobody takes goes by Redis's clock: Celery's `expires` compares those of two hosts."""
        with self._store.redis.pipeline(transaction=False) as pipe:
            pipe.ltrim(key, 0, MOST_WAITING - 1)
            pipe.expire(key, QUEUE_HOLDS_S)
            pipe.execute()
