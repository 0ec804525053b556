"""Supervises one attempt: starts its process, carries its words to the store, ends it, and says how it ended.

The process trains; this thread only watches. It never blocks on Redis for longer than a reply may take,
so an outage of Redis does not stop the training.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from fusionq.errors import FusionqError, StoreUnavailableError
from fusionq.queue import code_archives
from fusionq.queue.scheduling import START_WITHIN_S
from fusionq.spec.events import EpochEnd, Progress, Started, Warned
from fusionq.spec.failures import DISK_FULL, ERROR, MEMORY_LIMIT
from fusionq.spec.job import JobSpec
from fusionq.spec.load import parse_job
from fusionq.spec.paths import RunPaths, code_cache
from fusionq.spec.record import JobRecord
from fusionq.spec.retrying import jittered
from fusionq.spec.states import Outcome, Status
from fusionq.spec.writer import to_yaml
from workers import leash, quarantine
from workers.code_cache import code_folder
from workers.disk import is_disk_full
from workers.endings import Ending, Seen, judge
from workers.gpus import visible_devices
from workers.health import Fall
from workers.host_memory import MemoryLimit
from workers.launcher import JobProcess
from workers.lives import mark_of_this_life
from workers.log_pump import LogPump
from workers.node import Node
from workers.processes import ENV_ATTEMPT, ENV_JOB, ENV_SUPERVISOR
from workers.provenance import provenance_of
from workers.results import ResultView
from workers.running import CANCEL, LOST, SHUTDOWN, TIMEOUT, Attempt

log = logging.getLogger("fusionq.worker")

LOOK_S = 0.05
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
RETRY_S = 1.0
MOST_WAITING_POINTS = 10_000


def supervise(node: Node, results: ResultView, job_id: str, number: int) -> None:
    """Run an attempt that was assigned to this worker. A message that is doubled, late or stale ends here."""
    attempt = Attempt(job_id, number)
    if node.is_leaving:
        return  # the job is given back when the worker leaves, or was when it was told to
    # A doubled message must not sit in a thread for as long as the job runs; by then it is stale anyway.
    if not node.free_slot.acquire(timeout=START_WITHIN_S):
        return
    try:
        run_dir = RunPaths.of_job(node.settings.runs, job_id).root
        begun_at = leash.now()
        if not _let_go_of_older(node, attempt):
            return
        if not node.store.jobs.start(job_id, number, node.settings.lease_s, str(run_dir), node.name):
            return
        attempt.held_until = leash.moment_after(begun_at, node.settings.lease_s)
        _run(node, results, attempt)
    finally:
        node.free_slot.release()
    try:
        quarantine.look_after(node)
        node.sender.ask_for_pass(node.name)  # a slot is free
        node.end_if_drained()
    except FusionqError:
        pass  # the beat does it again


def _let_go_of_older(node: Node, attempt: Attempt) -> bool:
    """A Redis that crashed may give us a job that we run: our copy ends first. False where it does not."""
    deadline = time.monotonic() + START_WITHIN_S
    while older := node.running.find(attempt.job_id):
        record = node.store.jobs.get(attempt.job_id)
        if (record.status, record.attempt, record.worker) != (Status.ASSIGNED, attempt.number, node.name):
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


class _Supervisor:
    def __init__(self, node: Node, results: ResultView, attempt: Attempt) -> None:
        self._node = node
        self._store = node.store
        self._results = results
        self._attempt = attempt
        self._paths = RunPaths.of_job(node.settings.runs, attempt.job_id)
        self._points: list[dict[str, Any]] = []
        self._progress: dict[str, Any] | None = None
        self._warning: str | None = None
        self._retry_at = 0.0
        self._error: dict[str, Any] | None = None
        self._result: dict[str, Any] | None = None
        self._kill_at: float | None = None
        self._begun_at = time.monotonic()
        self._was_killed = False

    def run(self) -> None:
        job_id, number = self._attempt.job_id, self._attempt.number
        read = self._insist(lambda: (self._store.jobs.get(job_id), self._store.jobs.spec(job_id)))
        if read is None:
            return
        record, stored = read
        try:
            ending = self._run_process(record, parse_job(stored))
        except StoreUnavailableError:
            ending = Ending(None, "its worker was shut down")
        except (FusionqError, OSError) as error:
            failure = DISK_FULL if is_disk_full(error) else ERROR
            reason = f"the worker {self._node.name} cannot run it: {error}"
            ending = Ending(Outcome.FAILED, reason, failure=failure)
        log.info(
            "job %s attempt %d: %s %s", job_id, number, ending.outcome or "back to the queue", ending.reason
        )
        if ending.is_ours:
            self._conclude(ending)
            self._note_health(ending, record)

    def _note_health(self, ending: Ending, record: JobRecord) -> None:
        """What the end of this attempt says of the worker."""
        health = self._node.health
        if ending.outcome is Outcome.SUCCEEDED:
            health.note_success()
        elif ending.failure:
            work = record.sweep or record.id
            fall = Fall(record.id, self._attempt.number, work, ending.failure, record.started_at)
            health.note_failure(fall, time.monotonic() - self._begun_at)

    @property
    def _is_lost(self) -> bool:
        return self._attempt.stop_reason == LOST

    # --- while it runs -----------------------------------------------------------------------------

    def _run_process(self, record: JobRecord, spec: JobSpec) -> Ending:
        self._paths.root.mkdir(parents=True, exist_ok=True)
        self._paths.job_file.write_text(to_yaml(spec.to_data()))
        self._log = LogPump(self._paths.output_log, self._store.streams, record.id, self._attempt.number)
        with ExitStack() as held:
            return self._run_by(self._orders(record, spec, held), record, spec)

    def _run_by(self, orders: dict[str, Any], record: JobRecord, spec: JobSpec) -> Ending:
        process = self._node.launcher.spawn(orders)
        log.info(
            "job %s (%s) attempt %d: started, pid %d",
            record.id,
            record.name,
            self._attempt.number,
            process.pid,
        )
        try:
            self._watch(process, spec)
            # Whatever the leader left behind must not hold memory or a GPU that we call free.
            process.kill_tree()
            self._see_gpus_clear()
            self._finish_log()
        finally:
            process.kill_tree()
            process.close()
            self._log.close()
        seen = Seen(
            exit_code=process.exit_code,
            stop_reason=self._attempt.stop_reason,
            was_killed=self._was_killed,
            was_hurried=self._attempt.hurry,
            error=self._error,
            result=self._result,
            losses=record.losses,
            losses_by=record.losses_by,
        )
        return judge(seen, spec)

    def _see_gpus_clear(self) -> None:
        """Before anybody may have them; what is still on one keeps it from others, and is shown."""
        node, gpus = self._node, self._attempt.gpus
        if not gpus:
            return
        node.gpu_watch.await_clear(gpus, self._attempt.job_id)
        if node.look_at_gpus(but_for=self._attempt.job_id):
            self._insist(node.register)

    def _orders(self, record: JobRecord, spec: JobSpec, held: ExitStack) -> dict[str, Any]:
        node = self._node
        self._attempt.gpus = record.assigned_gpus
        threads = node.cpus_per_slot if spec.resources.cpus == "auto" else spec.resources.cpus
        return {
            "spec": spec.to_data(),
            "attempt": self._attempt.number,
            "fresh_after": record.fresh_after,
            "run_dir": str(self._paths.root),
            "output_log": str(self._paths.output_log),
            "workdir": record.workdir,
            "code": self._hold_code(record, held),
            "provenance": self._read(lambda: provenance_of(node.store, record)),
            "data_root": str(node.settings.data) if node.settings.data else "",
            "threads": threads,
            "processes": spec.resources.num_processes(len(record.assigned_gpus)),
            "gpu_memory": record.gpu_memory,
            leash.UNTIL: self._attempt.held_until,
            "environ": {
                # For what the job starts; torch itself is told by `threads`.
                **dict.fromkeys(THREAD_VARIABLES, str(threads)),
                **spec.env,
                **visible_devices(node.gpus_of(record.assigned_gpus)),
            },
            "marks": {
                ENV_JOB: record.id,
                ENV_ATTEMPT: str(self._attempt.number),
                ENV_SUPERVISOR: mark_of_this_life(),
            },
        }

    def _hold_code(self, record: JobRecord, held: ExitStack) -> str:
        """The folder of the user's code as it was submitted, unpacked; '' where the job has none."""
        if not record.code:
            return ""
        store, settings = self._node.store, self._node.settings

        def fetch() -> bytes:
            return self._read(lambda: code_archives.fetch(store, settings.runs, record.code))

        return str(held.enter_context(code_folder(code_cache(settings.home), record.code, fetch)))

    def _read(self, act: Callable[[], Any]) -> Any:
        """What the job needs before it can start. Raises StoreUnavailableError where we leave without it."""
        found = self._insist(act)
        if found is None:
            raise StoreUnavailableError("Redis is away")
        return found

    def _watch(self, process: JobProcess, spec: JobSpec) -> None:
        """Look at the job until it is over."""
        deadline = time.monotonic() + spec.timeout if spec.timeout else None
        memory = MemoryLimit(spec.resources.memory)
        while not process.is_over:
            for message in process.receive(LOOK_S):
                self._take_in(message)
            if not self._is_lost:
                self._log.pump()
                self._pass_on()
            process.lengthen_leash(self._attempt.held_until)
            if deadline and time.monotonic() > deadline:
                self._attempt.ask_to_stop(TIMEOUT)
            if self._attempt.stop_reason:
                self._stop(process, spec.grace)
            elif excess := memory.excess_of(process.survivors):
                self._error = {"kind": "error", "class": MEMORY_LIMIT, "reason": excess}
                process.kill_tree()

    def _stop(self, process: JobProcess, grace_s: float) -> None:
        """Ask once; after the grace, or at once in a hurry, kill."""
        if self._kill_at is None and not self._attempt.hurry:
            self._kill_at = time.monotonic() + grace_s
            process.ask_to_stop()
        if self._kill_at is None or self._attempt.hurry or time.monotonic() > self._kill_at:
            self._was_killed = True
            process.kill_tree()

    def _take_in(self, message: dict[str, Any]) -> None:
        kind = message["kind"]
        if kind == "result":
            self._result = message["result"]
        elif kind == "error":
            self._error = message
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
        if self._is_lost:
            return  # another attempt may speak there by now
        self._insist(self._log.finish)
        self._insist(self._pass_on_all)

    def _conclude(self, ending: Ending) -> None:
        job_id, number = self._attempt.job_id, self._attempt.number
        if ending.outcome is None and self._attempt.stop_reason != CANCEL:
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
        outcome = ending.outcome or Outcome.CANCELLED
        self._insist(
            lambda: self._store.jobs.finish(
                job_id, number, outcome, ending.reason, ending.result, failure=ending.failure
            )
        )
        self._results.end(job_id, outcome, ending.reason, ending.result)

    def _insist(self, act: Callable[[], Any]) -> Any:
        """Do it, however long Redis is away. Our lease holds as long as nobody takes it from us.

        Returns what `act` returns, or None where the worker is to leave meanwhile.
        """
        while True:
            try:
                return act()
            except StoreUnavailableError as error:
                if self._node.is_stopping:
                    log.warning("job %s: %s; it is found again by its lease", self._attempt.job_id, error)
                    return None
                time.sleep(RETRY_S)
