"""The beat of a worker: leases first, then whatever somebody has to see to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from fusionq.errors import FusionqError, NotFoundError, StoreUnavailableError
from fusionq.spec.states import Status
from fusionq.spec.stops import TO_WORKER
from fusionq.store import keys
from fusionq.worker import lease_guard as leash
from fusionq.worker import quarantine
from fusionq.worker.data_loss import DataLossGuard
from fusionq.worker.reaper import Reaper
from fusionq.worker.retention import Retention
from fusionq.worker.running_attempts import LOST, Attempt
from fusionq.worker.worker import Node

log = logging.getLogger("fusionq.worker")

BEATS_PER_LEASE = 3
IDLE_S = 3.0
LISTEN_S = 1.0
LEASE_IS_OVER_S = 0.05
OVERDUE_S = 1.0  # how often to look at a lease that nobody may judge yet


class Beat:
    """One thread renews leases and sees to things, one listens for what jobs, or we, are to stop for.

    What may hang, a file server or the driver of a GPU, is looked at in threads of its own, so that it keeps
    no lease from being renewed.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._reaper = Reaper(node)
        self._retention = Retention(node)
        self._data_loss = DataLossGuard(node.store.identity, node.running)
        self._ended = threading.Event()
        self._idle_since: float | None = None
        self._threads = [
            threading.Thread(target=self._beat, name="beat", daemon=True),
            threading.Thread(target=self._listen, name="listen", daemon=True),
            threading.Thread(target=self._look_often, args=(node.check_disk_room,), name="disk", daemon=True),
            threading.Thread(target=self._look_often, args=(self._look_at_gpus,), name="gpus", daemon=True),
        ]

    def start(self) -> None:
        self._node.look_at_gpus()  # before anybody gives us a job for one that is not free
        self._node.is_accepting = True
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._threads[0].join(timeout=5)  # the listener may sit in a read, and harms nobody

    def _beat(self) -> None:
        interval = self._interval()
        while True:
            try:
                self._renew()
                self._see_to_things()
            except StoreUnavailableError as error:
                log.warning("%s; %s", error, self._during_outage(error))
                self._reaper.note_outage()
                self._restart_embedded()
            except Exception:
                log.exception("the beat stumbled; it goes on")
            if self._ended.wait(self._until_next(interval)):
                return

    def _until_next(self, interval: float) -> float:
        """Up to the next beat; sooner where a lease ends, whose job is to wait no longer than it must."""
        try:
            ends_in_s = self._node.store.jobs.first_lease_ends_in()
        except Exception as error:  # whatever Redis answers, the next beat comes
            log.debug("the next end of a lease: %s", error)
            return interval
        if ends_in_s is None:
            return interval
        return min(interval, ends_in_s + LEASE_IS_OVER_S if ends_in_s > 0 else OVERDUE_S)

    def _during_outage(self, error: StoreUnavailableError) -> str:
        """What becomes of our jobs, in words. Where nobody can take them from us, they train on."""
        if not error.is_for_all:
            return "jobs train on up to the end of their lease, and stand still from there"
        for attempt in self._node.running.all():
            attempt.held_until = leash.moment_after(leash.now(), self._node.settings.lease_s)
        return "training goes on"

    def _restart_embedded(self) -> None:
        """Start the embedded Redis again where it ended and nobody stopped it."""
        embedded = self._node.store.embedded
        try:
            if embedded is not None and embedded.restart_if_lost():
                log.warning("the embedded Redis had ended, and was started again")
        except FusionqError as error:
            log.warning("%s", error)

    def _interval(self) -> float:
        interval = self._node.settings.lease_s / BEATS_PER_LEASE
        return min(interval, IDLE_S / 3) if self._node.options.exit_when_idle else interval

    def _renew(self) -> None:
        node = self._node
        node.is_holding = self._data_loss.check()
        if not node.is_holding:
            self._renew_leases()
        if not node.register():
            log.error("another worker took the name %s; this one takes nothing more", node.name)
            node.is_accepting = False
        node.obey(node.store.workers.asked_to(node.name, node.token))
        if wanted := node.store.workers.slots_wanted(node.name, node.token):
            node.set_slots(wanted)
        if node.is_holding and node.is_stopping:
            self._let_jobs_save()

    def _renew_leases(self) -> None:
        node, begun_at = self._node, leash.now()
        attempts = [attempt for attempt in node.running.all() if not self._is_stuck(attempt)]
        held = [(attempt.job_id, attempt.number) for attempt in attempts]
        answers = node.store.jobs.renew(held, node.settings.lease_s, node.name)
        for attempt, answer in zip(attempts, answers, strict=True):
            if answer == LOST and attempt in node.running.all():
                log.warning(
                    "job %s attempt %d was taken from us; our copy is killed", attempt.job_id, attempt.number
                )
                attempt.ask_to_stop(LOST)
            elif answer != LOST:
                attempt.held_until = leash.moment_after(begun_at, node.settings.lease_s)
                attempt.obey(answer)

    def _is_stuck(self, attempt: Attempt) -> bool:
        """Whether nobody sees to the job. Its lease then ends, and it goes on elsewhere."""
        if not attempt.is_stuck:
            return False
        log.error(
            "job %s attempt %d: its supervisor stands still; its lease is not renewed",
            attempt.job_id,
            attempt.number,
        )
        if not self._is_ours(attempt):
            attempt.ask_to_stop(LOST)
        return True

    def _is_ours(self, attempt: Attempt) -> bool:
        try:
            record = self._node.store.jobs.get(attempt.job_id)
        except NotFoundError:
            return False
        return record.attempt == attempt.number and record.status is Status.RUNNING

    def _let_jobs_save(self) -> None:
        """Whoever stops a worker whose jobs stand still lets them save their state: nobody else has them."""
        for attempt in self._node.running.all():
            attempt.held_until = leash.moment_after(leash.now(), self._node.settings.lease_s)

    def _see_to_things(self) -> None:
        node = self._node
        node.end_if_drained()
        if node.is_stopping or node.is_holding:
            return
        quarantine.look_after(node)
        node.store.jobs.promote()
        node.notifier.see_to_it()
        self._reaper.reap()
        self._retention.see_to_it()
        has_pending = node.store.jobs.has_pending()
        if has_pending:
            node.sender.ask_for_pass(node.name)  # the net under lost messages
        if node.options.exit_when_idle:
            self._leave_when_idle(has_pending)

    def _leave_when_idle(self, has_pending: bool) -> None:
        if has_pending or self._node.running.all():
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = time.monotonic()
        elif time.monotonic() - self._idle_since >= IDLE_S:
            log.info("nothing is left to do")
            self._node.end()

    def _look_often(self, look: Callable[[], object]) -> None:
        while not self._ended.wait(self._interval()):
            try:
                look()
            except StoreUnavailableError:
                pass  # the next beat tells what was found
            except Exception:
                log.exception("the %s could not be looked at", threading.current_thread().name)

    def _look_at_gpus(self) -> None:
        if self._node.look_at_gpus():
            self._node.register()

    def _listen(self) -> None:
        """Cancellations at once; the beat finds those that were missed."""
        while not self._ended.is_set():
            try:
                with self._node.store.redis.pubsub(ignore_subscribe_messages=True) as channel:
                    channel.subscribe(keys.stop_channel(self._node.name))
                    while not self._ended.is_set():
                        message = channel.get_message(timeout=LISTEN_S)
                        if message:
                            self._hear(*message["data"].split(" "))
            except Exception as error:
                log.debug("listening: %s", error)
                self._ended.wait(LISTEN_S)

    def _hear(self, word: str, job_id: str, token: str = "") -> None:
        if word != TO_WORKER:
            self._node.running.obey(job_id, word)
        elif token == self._node.token:
            self._node.obey(job_id)
            self._node.end_if_drained()


def say(node: Node) -> str:
    """The worker in one line."""
    devices = ", ".join(f"{gpu.index}: {gpu.name}" for gpu in node.gpus) or "CPU"
    slots = f"{node.slots} slot{'s' if node.slots > 1 else ''}"
    return f"worker {node.name} is ready: {slots} on {devices}; queues {', '.join(node.options.queues)}"
