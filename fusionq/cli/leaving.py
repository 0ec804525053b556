"""Stopping a worker, and waiting until it is really gone."""

from __future__ import annotations

import os
import time

from fusionq.cli.session import Session
from fusionq.cli.words import say, say_state
from fusionq.client.patience import Patience
from fusionq.errors import StateError, StoreUnavailableError
from fusionq.spec.stops import DRAIN, LEAVE, LEAVE_NOW
from fusionq.store.store import Store
from fusionq.store.workers import WorkerRecord

LOOK_S = 0.1
EXIT_WITHIN_S = 10.0  # it left the list; how long its process may take to end

_DOING = {
    DRAIN: "takes no new jobs, and leaves when what runs is over",
    LEAVE: "lets its jobs save their state, and leaves",
    LEAVE_NOW: "kills its jobs, and leaves",
}


def stop_worker(session: Session, name: str, word: str, *, is_waiting: bool) -> None:
    """Tell a worker to leave, wait for that, and tell what became of its jobs. Raises NotFoundError."""
    store = session.store
    worker = store.workers.find(name)
    store.workers.stop(name, word)
    session.ask_for_pass()  # what it had not started may run elsewhere
    say(f"{name} {_DOING[word]}{' …' if is_waiting else ''}")
    if not is_waiting:
        return
    _await_leave(store, worker)
    for record in store.jobs.get_many(worker.jobs):
        say_state(record)
    say(f"{name} is gone")


def await_slots(store: Store, name: str, slots: int) -> None:
    """Wait until a worker says that it has so many slots. Raises NotFoundError where it is gone."""
    patience = Patience()
    while True:
        try:
            if store.workers.find(name).slots == slots:
                return
            patience.note_word()
        except StoreUnavailableError as error:
            patience.bear(error)
        time.sleep(LOOK_S)


def _await_leave(store: Store, worker: WorkerRecord) -> None:
    patience = Patience()
    while True:
        try:
            if not _is_there(store, worker):
                break
            patience.note_word()
        except StoreUnavailableError as error:
            patience.bear(error)
        time.sleep(LOOK_S)
    _await_exit(worker)


def _is_there(store: Store, worker: WorkerRecord) -> bool:
    """Raises FusionqError where it died on its way."""
    for each in store.workers.all():
        if each.name == worker.name and each.token == worker.token:
            if not each.is_alive:
                raise StateError(
                    f"{worker.name} fell silent before it left",
                    hint="another worker takes its jobs over; look: fusionq workers",
                )
            return True
    return False


def _await_exit(worker: WorkerRecord) -> None:
    """On this machine its process can be seen, too."""
    deadline = time.monotonic() + EXIT_WITHIN_S
    while worker.host == os.uname().nodename and _lives(worker.pid) and time.monotonic() < deadline:
        time.sleep(LOOK_S)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
