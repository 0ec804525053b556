"""Takes away old jobs, beside the beat: one worker of a host at a time, at most every ten minutes."""

from __future__ import annotations

import logging
import os
import threading
import time

from fusionq.errors import FusionqError
from fusionq.queue.leftovers import forget_leftovers
from fusionq.queue.retention import retire
from fusionq.worker.worker import Node

log = logging.getLogger("fusionq.worker")

EVERY_S = 600.0


class Retention:
    """A thread of its own, so that a slow disk holds up no lease."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._next_at = time.monotonic()
        self._thread: threading.Thread | None = None

    def see_to_it(self) -> None:
        """Begin a turn where it is time for one. Raises StoreUnavailableError."""
        if time.monotonic() < self._next_at or (self._thread is not None and self._thread.is_alive()):
            return
        self._next_at = time.monotonic() + EVERY_S
        if self._node.store.passes.begin_cleaning(os.uname().nodename, self._node.token, EVERY_S * 0.9):
            self._thread = threading.Thread(target=self._turn, name="retention", daemon=True)
            self._thread.start()

    def _turn(self) -> None:
        node = self._node
        try:
            forget_leftovers(node.store, node.settings.home)
            removed = 0
            for done in retire(node.store, node.settings, os.uname().nodename):
                removed += done.removed
                if node.is_stopping:
                    break
            if removed:
                log.info("%d old jobs were removed; their models and results stay", removed)
        except FusionqError as error:
            log.warning("old jobs: %s; the next turn finds them", error)
        except Exception:
            log.exception("removing old jobs failed; the next turn tries again")
