"""Threads for what others ask of a worker: a few at once, and whoever asked is told what went wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fusionq.errors import FusionqError, StateError, StoreUnavailableError

log = logging.getLogger("fusionq.worker")


def serve(name: str, act: Callable[[], None], refuse: Callable[[str], None]) -> None:
    """Run `act` in a thread of its own, so that no thread of the pool waits for it.

    Where it fails, `refuse` is called with the reason, unless Redis is away.
    """
    threading.Thread(target=_serve, args=(name, act, refuse), name=name, daemon=True).start()


def _serve(name: str, act: Callable[[], None], refuse: Callable[[str], None]) -> None:
    try:
        try:
            act()
        except StoreUnavailableError:
            raise
        except (FusionqError, OSError) as error:
            refuse(str(error))
    except StoreUnavailableError as error:
        log.warning("%s: %s", name, error)


@contextmanager
def place_in(places: threading.Semaphore, why_not: str) -> Iterator[None]:
    """Hold one of a few places meanwhile. Raises StateError with `why_not` where none is free."""
    if not places.acquire(blocking=False):
        raise StateError(why_not)
    try:
        yield
    finally:
        places.release()
