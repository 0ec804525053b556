"""The part of a job that another worker leads: ranks of it run here, and nothing of the record is ours."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, suppress
from typing import Any

from fusionq.errors import FusionqError, StoreUnavailableError
from fusionq.spec.failures import ERROR, WORKER_LOST
from fusionq.spec.job import JobSpec
from fusionq.spec.load import parse_job
from fusionq.spec.private import make_folder
from fusionq.spec.record import JobRecord
from fusionq.worker.fork_server_handle import ForkServerError, NotStartedError
from fusionq.worker.job_process_launcher import JobProcess
from fusionq.worker.process_monitor import Watching
from fusionq.worker.protocol import EXIT_DONE, EXIT_STOPPED, of_exit_code
from fusionq.worker.running_attempts import SHUTDOWN, Attempt
from fusionq.worker.worker import Node

log = logging.getLogger("fusionq.worker")

POLL_S = 0.05


def take_part(node: Node, attempt: Attempt) -> None:
    """Run our ranks of an attempt to their end, where it has some here."""
    member = _Member(node, attempt)
    if not member.join() or not node.running.add(attempt):
        return
    if node.is_stopping:  # it began between our look and this one
        attempt.ask_to_stop(SHUTDOWN, hurry=node.is_hurrying)
    try:
        member.run()
    finally:
        member.say_done()
        if node.is_stopping:
            member.await_release()
        node.running.remove(attempt)


class _Member(Watching):
    _grace_s = 0.0
    _has_asked = False

    def join(self) -> bool:
        """Returns whether ranks of the attempt run here."""
        gpus = self._insist(lambda: self._store.gangs.join(*self._who))
        self._attempt.gpus = gpus or ()
        return gpus is not None

    def run(self) -> None:
        """Wait until the first rank listens, then start ours, which find it."""
        job_id = self._attempt.job_id
        try:
            record, stored = self._read(lambda: (self._store.jobs.get(job_id), self._store.jobs.spec(job_id)))
            if record.attempt != self._attempt.number:
                return  # it was taken from us
            spec = parse_job(stored)
            self._grace_s = spec.grace
            place = [name for name, _ in record.members].index(self._node.name) + 1
            meeting = self._await_meeting()
            if meeting:
                self._train(record, spec, {"node": place, "meeting": meeting})
        except (NotStartedError, StoreUnavailableError):
            pass  # we are to stop, which those who told us know; leaving, we say so below
        except ForkServerError as error:
            self._tell(WORKER_LOST, f"the worker {self._node.name}: {error}")
        except (FusionqError, OSError) as error:
            is_suspect = isinstance(error, OSError)
            self._insist(lambda: self._node.check_disk_room(is_suspect=is_suspect))
            failure = WORKER_LOST if self._node.disk_room.problem else ERROR
            self._tell(failure, f"the worker {self._node.name} cannot run it: {error}")

    def _train(self, record: JobRecord, spec: JobSpec, place: dict[str, Any]) -> None:
        make_folder(self._paths.root, self._node.settings.umask)
        self._paths.ranks.mkdir(exist_ok=True)
        with ExitStack() as held:
            log_file = self._paths.node_log(place["node"])
            orders = {**self._orders(record, spec, held), **place, "output_log": str(log_file)}
            # The worker that leads sees to the time limit, for all of them.
            process = self._run_to_end(orders, spec.model_copy(update={"timeout": None}))
        if self._error is not None:
            self._tell(self._error["class"], self._error["reason"])
        elif process.exit_code not in (EXIT_DONE, EXIT_STOPPED) and not self._attempt.stop_reason:
            self._tell(*of_exit_code(process.exit_code or 0))

    def say_done(self) -> None:
        """Nothing of the job runs here any more, so its GPUs may be given to others."""
        self._insist(lambda: self._store.gangs.note_done(*self._who))

    def await_release(self) -> None:
        """Until the leading worker has sent the job back, so that nobody looks for us when we are gone."""
        deadline = time.monotonic() + self._grace_s
        with suppress(StoreUnavailableError):
            while self._store.gangs.join(*self._who) is not None:
                self._ask_to_requeue()  # a job that was only assigned before has not heard it
                if time.monotonic() > deadline:
                    return
                self._attempt.note_alive()
                time.sleep(POLL_S)

    @property
    def _who(self) -> tuple[str, int, str]:
        return self._attempt.job_id, self._attempt.number, self._node.name

    def _await_meeting(self) -> str:
        """Where the ranks meet; '' where the attempt ends before."""
        while not self._is_to_stop():
            with suppress(StoreUnavailableError):
                if meeting := self._store.gangs.read(self._attempt.job_id).meeting:
                    return meeting
            time.sleep(POLL_S)
        return ""

    def _take_in(self, message: dict[str, Any]) -> None:
        if message["kind"] == "error":
            self._error = message

    def _look(self) -> dict[str, Any] | None:
        return None

    def _stop(self, process: JobProcess, grace_s: float) -> None:
        """The job as a whole saves its state, which the leading worker sees to; lost, ours is killed."""
        if self._is_lost or self._attempt.hurry:
            super()._stop(process, 0.0)
            return
        if self._kill_at is None:
            self._kill_at = time.monotonic() + grace_s
        if time.monotonic() > self._kill_at:
            self._was_killed = True
            self._kill(process)
        elif not self._has_asked:
            with suppress(StoreUnavailableError):
                self._node.register()  # that we take nothing more, or the next pass sends it to us again
                self._ask_to_requeue()
                self._has_asked = True

    def _ask_to_requeue(self) -> None:
        self._store.gangs.ask_to_requeue(self._attempt.job_id, self._attempt.number)

    def _tell(self, failure: str, reason: str) -> None:
        job_id, number = self._attempt.job_id, self._attempt.number
        self._insist(lambda: self._store.gangs.note_error(job_id, number, failure, reason))
