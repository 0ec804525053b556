"""Supervises one attempt: carries its words to the store, ends it, and says how it ended."""

from __future__ import annotations

import json
import logging
import time
from contextlib import ExitStack
from typing import Any

from fusionq.errors import FusionqError, StoreUnavailableError
from fusionq.queue.scheduling import START_WITHIN_S
from fusionq.spec.events import EpochEnd, Progress, Started, Warned
from fusionq.spec.failures import DISK_FULL, ERROR, WORKER_LOST
from fusionq.spec.job import JobSpec
from fusionq.spec.load import parse_job
from fusionq.spec.paths import RunPaths
from fusionq.spec.private import make_folder, open_file
from fusionq.spec.record import JobRecord
from fusionq.spec.retrying import jittered
from fusionq.spec.run_record import RunRecord
from fusionq.spec.secrets import mask_spec
from fusionq.spec.states import Outcome, Status
from fusionq.spec.writer import to_yaml
from fusionq.worker import lease_guard as leash
from fusionq.worker import quarantine
from fusionq.worker.attempt_outcome import Ending, Seen, judge
from fusionq.worker.celery_results import ResultView
from fusionq.worker.failure_tracker import Fall
from fusionq.worker.fork_server_handle import ForkServerError, NotStartedError
from fusionq.worker.gang_leader import Others
from fusionq.worker.gang_member import take_part
from fusionq.worker.hardware.disk import is_disk_full
from fusionq.worker.log_forwarder import LogPump
from fusionq.worker.process_monitor import LOOK_S, RETRY_S, Watching
from fusionq.worker.protocol import MEETING
from fusionq.worker.running_attempts import CANCEL, LOST, SHUTDOWN, Attempt
from fusionq.worker.worker import Node

log = logging.getLogger("fusionq.worker")

MOST_WAITING_POINTS = 10_000


def supervise(node: Node, results: ResultView, job_id: str, number: int) -> None:
    """Run an attempt that was assigned to this worker. A message that is doubled, late or stale ends here."""
    attempt = Attempt(job_id, number)
    if node.is_leaving:
        return  # the job is given back when the worker leaves, or was when it was told to
    # A doubled message must not sit in a thread for as long as the job runs; by then it is stale anyway.
    if not node.free_slot.acquire(timeout_s=START_WITHIN_S):
        return
    try:
        run_dir = RunPaths.of_job(node.settings.runs, job_id).root
        begun_at = leash.now()
        if not _let_go_of_older(node, attempt):
            return
        if not _has_room(node, attempt):
            return
        is_ours = node.store.jobs.start(job_id, number, node.settings.lease_s, str(run_dir), node.name)
        attempt.held_until = leash.moment_after(begun_at, node.settings.lease_s)
        if not is_ours:
            take_part(node, attempt)  # in a job that another worker leads, if there is one
            return
        _run(node, results, attempt)
    finally:
        node.free_slot.release()
    try:
        quarantine.look_after(node)
        node.sender.ask_for_pass(node.name)  # a slot is free
        node.end_if_drained()
    except FusionqError:
        pass  # the beat does it again


def _has_room(node: Node, attempt: Attempt) -> bool:
    """Whether the job can write here; it goes back to its queue where it cannot."""
    node.check_disk_room()
    if not node.disk_room.problem:
        return True
    record = node.store.jobs.get(attempt.job_id)
    if (record.worker, record.status) != (node.name, Status.ASSIGNED):
        return True  # a stale message, or a job that another leads
    reason = f"the worker {node.name}: {node.disk_room.problem}"
    node.store.jobs.requeue(attempt.job_id, attempt.number, reason)
    return False


def _let_go_of_older(node: Node, attempt: Attempt) -> bool:
    """A Redis that crashed may give us a job that we run: our copy ends first. False where it does not."""
    deadline = time.monotonic() + START_WITHIN_S
    while older := node.running.find(attempt.job_id):
        record = node.store.jobs.get(attempt.job_id)
        is_ours = record.worker == node.name and record.status is Status.ASSIGNED
        is_new_part = node.name in dict(record.members) and older.number != attempt.number
        if record.attempt != attempt.number or not (is_ours or is_new_part):
            return False  # a doubled or stale message
        older.ask_to_stop(LOST)
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return True


def _run(node: Node, results: ResultView, attempt: Attempt) -> None:
    node.running.add(attempt)
    if node.is_stopping:  # it began between our look and the start
        attempt.ask_to_stop(SHUTDOWN, hurry=node.is_hurrying)
    try:
        _Supervisor(node, results, attempt).run()
    finally:
        node.running.remove(attempt)


class _Supervisor(Watching):
    def __init__(self, node: Node, results: ResultView, attempt: Attempt) -> None:
        super().__init__(node, attempt)
        self._results = results
        self._points: list[dict[str, Any]] = []
        self._progress: dict[str, Any] | None = None
        self._warning: str | None = None
        self._retry_at = 0.0
        self._result: dict[str, Any] | None = None
        self._begun_at = time.monotonic()
        self._has_listeners = False
        self._has_begun = True

    def run(self) -> None:
        job_id, number = self._attempt.job_id, self._attempt.number
        read = self._insist(lambda: (self._store.jobs.fields(job_id), self._store.jobs.spec(job_id)))
        if read is None:
            return
        fields, stored = read
        is_suspect = False  # whether the folders of this worker are
        record = JobRecord.from_hash(job_id, fields)
        self._kept = RunRecord(fields, self._node.settings.lease_s, self._store.place)
        try:
            spec = parse_job(stored)
            self._has_listeners = bool(spec.notify)
            if self._has_listeners:
                self._node.notifier.begin()  # it has started
            ending = self._run_process(record, spec)
        except StoreUnavailableError:
            ending = Ending(None, "its worker was shut down")
        except (FusionqError, OSError) as error:
            failure = DISK_FULL if is_disk_full(error) else ERROR
            reason = f"the worker {self._node.name} cannot run it: {error}"
            ending = Ending(Outcome.FAILED, reason, failure=failure)
            is_suspect = isinstance(error, OSError)
        if ending.failure:
            ending = self._unless_for_lack_of_room(ending, is_suspect or ending.failure == DISK_FULL)
        log.info(
            "job %s attempt %d: %s %s", job_id, number, ending.outcome or "back to the queue", ending.reason
        )
        if ending.is_ours:
            self._conclude(ending)
            self._note_health(ending, record)

    def _unless_for_lack_of_room(self, ending: Ending, is_suspect: bool) -> Ending:
        """A job that fails where nothing can be written is not to blame: it goes back, no retry used up."""
        self._insist(lambda: self._node.check_disk_room(is_suspect=is_suspect))
        room = self._node.disk_room
        # A Redis on the same disk has held us up until there is room again: what is now says too little.
        was_full = room.problem_since(self._begun_at) if ending.failure == DISK_FULL else ""
        problem = room.problem or was_full
        if not problem or ending.outcome is Outcome.CANCELLED or not ending.is_ours:
            return ending
        return Ending(None, f"the worker {self._node.name}: {problem}")

    def _note_health(self, ending: Ending, record: JobRecord) -> None:
        """What the end of this attempt says of the worker."""
        health = self._node.health
        if ending.outcome is Outcome.SUCCEEDED:
            health.note_success()
        elif ending.failure:
            work = record.sweep or record.id
            fall = Fall(record.id, self._attempt.number, work, ending.failure, record.started_at)
            health.note_failure(fall, time.monotonic() - self._begun_at)

    # --- while it runs -----------------------------------------------------------------------------

    def _run_process(self, record: JobRecord, spec: JobSpec) -> Ending:
        self._attempt.gpus = record.assigned_gpus
        self._others = Others(self._store, record, self._node.settings.lease_s)
        make_folder(self._paths.root, self._node.settings.umask)
        with open_file(self._paths.job_file, self._node.settings.umask) as job_file:
            job_file.write(to_yaml(mask_spec(spec.to_data())).encode())
        self._kept.write(self._paths.record, self._node.settings.umask)
        with ExitStack() as held:
            return self._run_by(self._orders(record, spec, held), record, spec)

    def _run_by(self, orders: dict[str, Any], record: JobRecord, spec: JobSpec) -> Ending:
        number, umask = self._attempt.number, self._node.settings.umask
        self._log = LogPump(
            self._paths.output_log, self._store.streams, record.id, number, umask, limit=spec.output_limit
        )
        try:
            exit_code = self._run_to_exit_code(orders, spec)
            self._finish_log()
        finally:
            self._log.close()
        self._others.await_done()
        seen = Seen(
            exit_code=exit_code,
            has_begun=self._has_begun,
            stop_reason=self._attempt.stop_reason,
            was_killed=self._was_killed,
            was_hurried=self._attempt.hurry,
            error=self._others.cause(self._error),
            result=self._result,
            losses=record.losses,
            losses_by=record.losses_by,
        )
        return judge(seen, spec)

    def _run_to_exit_code(self, orders: dict[str, Any], spec: JobSpec) -> int | None:
        try:
            return self._run_to_end(orders, spec).exit_code
        except ForkServerError as error:
            self._error = {"class": WORKER_LOST, "reason": f"the worker {self._node.name}: {error}"}
        except NotStartedError:
            self._has_begun = False
        return None

    def _look(self) -> dict[str, Any] | None:
        self._log.pump()
        self._pass_on()
        return self._others.failure()

    def _take_in(self, message: dict[str, Any]) -> None:
        kind = message["kind"]
        if kind == "result":
            self._result = message["result"]
        elif kind == "error":
            self._error = message
        elif kind == MEETING:
            address = f"{self._node.address}:{message['port']}"
            job_id, number = self._attempt.job_id, self._attempt.number
            self._insist(lambda: self._store.gangs.note_meeting(job_id, number, address))
        elif kind == Warned.kind:
            self._warning = message["text"]
        elif kind in (Started.kind, Progress.kind, EpochEnd.kind):
            self._progress = message
            self._points.append({**message, "attempt": self._attempt.number, "time": time.time()})
            del self._points[:-MOST_WAITING_POINTS]  # the run folder has them all

    def _pass_on(self) -> None:
        """Points and notes to the store; during an outage they wait here."""
        if not (self._points or self._warning) or time.monotonic() < self._retry_at:
            return
        if self._node.is_holding:
            return
        try:
            self._pass_on_all()
        except StoreUnavailableError:
            self._retry_at = time.monotonic() + RETRY_S

    def _pass_on_all(self) -> None:
        job_id = self._attempt.job_id
        if self._warning:
            self._store.jobs.note_warning(job_id, self._warning)
            self._warning = None
        if self._points:
            # The record before the points: whoever is woken by a point finds the record up to date.
            self._store.jobs.note_progress(job_id, self._progress or {})
            self._store.streams.append_points(job_id, self._points)
            self._results.progress(job_id, self._progress or {})
            self._points.clear()

    # --- when it is over ---------------------------------------------------------------------------

    def _finish_log(self) -> None:
        """The last words come before the last state: who follows the log must see them."""
        if self._is_lost or self._node.is_holding:
            return  # another attempt may speak there by now, or nobody knows the job
        self._insist(self._log.finish)
        self._insist(self._pass_on_all)

    def _keep_ending(self, ending: Ending, outcome: Outcome | None) -> None:
        """First on disk: what Redis may never hear, or lose, can be put back from there."""
        fields: dict[str, str | int] = {"status": Status.QUEUED}
        if outcome:
            fields = {
                "status": Status.FINISHED,
                "outcome": outcome,
                "result": json.dumps(ending.result),
                "failure": ending.failure,
                "finished_at": round(time.time() * 1000),
            }
        try:
            kept = self._kept.with_fields(**fields, reason=ending.reason)
            kept.write(self._paths.record, self._node.settings.umask)
        except OSError as error:
            log.warning("job %s: %s", self._attempt.job_id, error)

    def _conclude(self, ending: Ending) -> None:
        job_id, number = self._attempt.job_id, self._attempt.number
        # What would go back to its queue, and was cancelled meanwhile, does not.
        outcome = ending.outcome or (Outcome.CANCELLED if self._attempt.stop_reason == CANCEL else None)
        self._keep_ending(ending, outcome)
        if outcome is None:
            if self._node.is_stopping:
                self._insist(self._node.register)  # or the next pass sends the job to us again
            delay_s = jittered(ending.delay_s)
            self._insist(
                lambda: self._store.jobs.requeue(
                    job_id,
                    number,
                    ending.reason,
                    delay_s=delay_s,
                    failure=ending.failure,
                )
            )
            return
        self._insist(
            lambda: self._store.jobs.finish(
                job_id, number, outcome, ending.reason, ending.result, failure=ending.failure
            )
        )
        self._results.end(job_id, outcome, ending.reason, ending.result)
        if self._has_listeners:
            self._node.notifier.begin()
