"""A worker's own self: its name, its slots and GPUs, its store, its fork server."""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import time
from collections.abc import Callable
from dataclasses import replace

from celery import Celery

import fusionq
from fusionq.errors import FusionqError, UsageError
from fusionq.queue.names import node_queue
from fusionq.queue.sender import Sender
from fusionq.spec.settings import Settings
from fusionq.spec.stops import DRAIN, LEAVE, LEAVE_NOW, SLOTS
from fusionq.store.store import Store
from fusionq.store.view import share_of_slot
from fusionq.worker.disk_room import DiskRoom
from fusionq.worker.failure_tracker import Health
from fusionq.worker.hardware.gpu_monitor import GpuWatch
from fusionq.worker.hardware.host import host_memory
from fusionq.worker.hardware.network import address_towards
from fusionq.worker.hardware.nvml import Gpu, find_gpus
from fusionq.worker.job_process_launcher import Launcher
from fusionq.worker.notifications import Notifier
from fusionq.worker.options import WorkerOptions
from fusionq.worker.processes.identity import is_known_dead, this_life, this_machine
from fusionq.worker.running_attempts import SHUTDOWN, Running
from fusionq.worker.slots import Slots

log = logging.getLogger("fusionq.worker")

MOST_NAMES = 1000


class Node:
    """Everything that the threads of a worker share."""

    def __init__(self, settings: Settings, options: WorkerOptions, store: Store, app: Celery) -> None:
        self.settings = settings
        self.options = options
        self.store = store
        self.sender = Sender(app, store)
        self.gpus: list[Gpu] = find_gpus(options.gpus)
        # A job that was taken from us may still be dying when the next one comes: it waits for a free slot.
        self.free_slot = Slots(options.slots or max(1, len(self.gpus) * options.slots_per_gpu))
        self.on_resize: Callable[[int], None] = lambda number: None  # told of another number of slots
        self.gpu_watch = GpuWatch(self.gpus, foreign=options.foreign)
        self.launcher = Launcher()
        self.running = Running()
        self.notifier = Notifier(store)
        self.health = Health()
        self.disk_room = DiskRoom((settings.runs, settings.home), settings.umask)
        self.is_stopping = False
        self.is_draining = False
        self.is_hurrying = False
        self._has_ended = False
        self.is_accepting = False
        self.is_holding = False  # Redis has lost the jobs that run here; see `fusionq.worker.data_loss`
        self.token = secrets.token_hex(8)
        self.name = self._take_name()

    @property
    def queue(self) -> str:
        return node_queue(self.name)

    @property
    def address(self) -> str:
        """Where other workers reach the jobs of this one."""
        return self.options.address or address_towards(self.store.redis)

    @property
    def slots(self) -> int:
        return self.free_slot.number

    def set_slots(self, number: int) -> None:
        """Run so many jobs at once from now on; those that run go on. Raises StoreUnavailableError."""
        if number == self.slots:
            return
        log.info("slots: %d instead of %d, as asked", number, self.slots)
        self.free_slot.resize(number)
        self.on_resize(number)
        self.register()
        self.sender.ask_for_pass(self.name)

    @property
    def cpus_per_slot(self) -> int:
        return share_of_slot(self.cpus, self.slots)

    @property
    def cpus(self) -> int:
        """The cores that this process may use."""
        if hasattr(os, "sched_getaffinity"):  # Linux
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1

    def gpus_of(self, indices: tuple[int, ...]) -> list[Gpu]:
        return [gpu for gpu in self.gpus if gpu.index in indices]

    def register(self) -> bool:
        """The heartbeat. False where another living worker took the name. Raises StoreUnavailableError."""
        fields = {
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "machine": this_machine(),
            "life": this_life(),
            "version": fusionq.__version__,
            "queues": json.dumps(self.options.queues),
            "slots": self.slots,
            "accepting": int(self.takes_jobs),
            "problem": self.disk_room.problem,
            "holding": int(self.is_holding),
            "gpus": json.dumps(self.gpu_watch.to_json()),
            "readings": json.dumps(self.gpu_watch.readings_json()),
            "driver": self.gpu_watch.driver,
            "cpus": self.cpus,
            "memory": host_memory(),
            "clock": time.time(),
            "labels": json.dumps(self.options.labels),
        }
        if self.is_stopping:
            fields["stop"] = LEAVE_NOW if self.is_hurrying else LEAVE
        return self.store.workers.register(self.name, self.token, self.settings.lease_s, fields)

    def look_at_gpus(self, but_for: str = "") -> bool:
        """Whether what keeps GPUs from jobs has changed. The job `but_for` is over."""

        def held() -> dict[int, set[str]]:
            found: dict[int, set[str]] = {}
            for attempt in self.running.all():
                for gpu in attempt.gpus if attempt.job_id != but_for else ():
                    found.setdefault(gpu, set()).add(attempt.job_id)
            return found

        before = self.gpu_watch.to_json()
        self.gpu_watch.look(held)
        return self.gpu_watch.to_json() != before

    @property
    def takes_jobs(self) -> bool:
        is_fit = not self.health.is_resting and not self.disk_room.problem and not self.is_holding
        return self.is_accepting and not self.is_leaving and is_fit

    def check_disk_room(self, *, is_suspect: bool = False) -> None:
        """See whether there is room for jobs, and tell when that changed. Raises StoreUnavailableError."""
        if not self.disk_room.check(is_suspect=is_suspect):
            return
        if self.disk_room.problem:
            log.error("takes no jobs: %s", self.disk_room.problem)
        else:
            log.warning("takes jobs again: there is room on the disk")
        self.register()
        self.sender.ask_for_pass(self.name)

    @property
    def is_leaving(self) -> bool:
        """Whether it takes nothing more."""
        return self.is_stopping or self.is_draining

    def begin_to_stop(self, *, hurry: bool) -> None:
        """Take nothing more, ask the jobs to save their state. For a signal handler: it only sets flags."""
        self.is_stopping = True
        self.is_hurrying = self.is_hurrying or hurry
        self.running.ask_all_to_stop(SHUTDOWN, hurry=self.is_hurrying)

    def obey(self, word: str) -> None:
        """What `fusionq worker stop` or `set` asks for; '' asks for nothing. A word may be heard again."""
        if word.startswith(SLOTS):
            self.set_slots(int(word.removeprefix(SLOTS)))
        if word == DRAIN and not self.is_leaving:
            log.info("told to drain: no new jobs, and an end once %d are over", len(self.running.all()))
            self.is_draining = True
        elif word == LEAVE and not self.is_stopping:
            self.end()
        elif word == LEAVE_NOW and not self.is_hurrying:
            self.begin_to_stop(hurry=True)
            self.end()

    def end(self) -> None:
        """As if somebody had pressed Ctrl-C, once: a second time would mean haste."""
        if not self._has_ended:
            self._has_ended = True
            os.kill(os.getpid(), signal.SIGTERM)

    def end_if_drained(self) -> None:
        """Raises StoreUnavailableError."""
        is_waiting = self.is_draining and not self.is_stopping
        if is_waiting and not self.running.all() and not self.store.workers.has_jobs(self.name):
            self.end()

    def leave(self) -> None:
        """End what still runs, give back what was assigned and not started, and go off the list."""
        self.is_accepting = False
        self.launcher.stop()  # before anybody else may start its jobs again
        try:
            if self.register():  # else the name is another worker's by now, and so are its jobs
                self._give_back()
            self.store.workers.unregister(self.name, self.token)
            if self.store.jobs.has_pending():
                self.sender.ask_for_pass()
        except FusionqError as error:
            log.warning("cannot take leave: %s", error)
        self.notifier.finish()

    def _give_back(self) -> None:
        for record in self.store.jobs.get_many(self.store.workers.find(self.name).jobs):
            if record.worker == self.name:  # else another worker leads it, which knows that our part is over
                self.store.jobs.requeue(record.id, record.attempt, "its worker was shut down")

    def _take_name(self) -> str:
        """The first free one of host, host-2, host-3, …; a name that was given must be free."""
        base = self.options.base_name()
        for number in range(1, MOST_NAMES):
            self.name = base if number == 1 else f"{base}-{number}"
            if self.register() or self._inherit_name():
                return self.name
            if self.options.name:
                raise UsageError(
                    f"a worker named {base!r} is alive",
                    hint="choose another --name; `fusionq workers` lists them",
                )
        raise UsageError(f"there are {MOST_NAMES} workers named like {base!r}", hint="give this one a --name")

    def _inherit_name(self) -> bool:
        """Take the name from a worker of this machine that was killed, before its heartbeat is over."""
        for owner in self.store.workers.alive():
            if owner.name == self.name and is_known_dead(owner.machine, owner.life):
                self.store.workers.unregister(owner.name, owner.token)
                return self.register()
        return False


def settings_for_worker(settings: Settings, store: Store) -> Settings:
    """The worker's settings with the address of its Redis filled in, for its children."""
    return replace(settings, redis_url=store.url)
