"""The process of an attempt while it runs: with which orders it starts, what is looked at, how it is stopped.

The process trains; the thread that watches it never blocks on Redis for longer than a reply may take, so an
outage of Redis does not stop the training.
"""

from __future__ import annotations

import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from fusionq.errors import StoreUnavailableError
from fusionq.queue import code_archives
from fusionq.spec.failures import MEMORY_LIMIT
from fusionq.spec.job import JobSpec
from fusionq.spec.output_log import shorten
from fusionq.spec.paths import ENV_RUN_DIR, RunPaths
from fusionq.spec.record import JobRecord
from fusionq.spec.variables import is_reference, resolve_environment, variable_of
from fusionq.worker import lease_guard as leash
from fusionq.worker.code_cache import hold_code
from fusionq.worker.hardware.host import MemoryLimit
from fusionq.worker.hardware.nvml import visible_devices
from fusionq.worker.job_process_launcher import JobProcess
from fusionq.worker.processes.tree import marks_of
from fusionq.worker.protocol import leads_ranks
from fusionq.worker.provenance import provenance_of
from fusionq.worker.running_attempts import LOST, TIMEOUT, Attempt
from fusionq.worker.worker import Node

log = logging.getLogger("fusionq.worker")

LOOK_S = 0.05
RETRY_S = 1.0
SHORTEN_S = 1.0
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Watching(ABC):
    """One process of one attempt, on one worker."""

    def __init__(self, node: Node, attempt: Attempt) -> None:
        self._node = node
        self._store = node.store
        self._attempt = attempt
        self._paths = RunPaths.of_job(node.settings.runs, attempt.job_id)
        self._error: dict[str, Any] | None = None
        self._kill_at: float | None = None
        self._was_killed = False
        self._own_logs: list[Path] = []
        self._shorten_at = 0.0

    @abstractmethod
    def _take_in(self, message: dict[str, Any]) -> None:
        """What the process says."""

    @abstractmethod
    def _look(self) -> dict[str, Any] | None:
        """Whatever else is to be done meanwhile. Returns an error where the attempt is to end for it."""

    @property
    def _is_lost(self) -> bool:
        return self._attempt.stop_reason == LOST

    def _run_to_end(self, orders: dict[str, Any], spec: JobSpec) -> JobProcess:
        """Start the process, and watch it until nothing of it is left."""
        self._own_logs = self._logs_of(orders)
        process = self._node.launcher.spawn(orders, self._is_to_stop)
        log.info(
            "job %s attempt %d: started, pid %d", self._attempt.job_id, self._attempt.number, process.pid
        )
        try:
            self._attempt.commands.open(orders)
            self._watch(process, spec)
            # Whatever the leader left behind must not hold memory or a GPU that we call free.
            self._kill(process)
            for message in process.last_words():
                self._take_in(message)
            self._attempt.commands.await_end()
            self._see_gpus_clear()
        finally:
            self._kill(process)
            process.close()
        return process

    def _is_to_stop(self) -> bool:
        self._attempt.note_alive()
        return bool(self._attempt.stop_reason)

    def _watch(self, process: JobProcess, spec: JobSpec) -> None:
        """Look at the job until it is over."""
        deadline = time.monotonic() + spec.timeout if spec.timeout else None
        memory = MemoryLimit(spec.resources.memory)
        while not process.is_over:
            self._attempt.note_alive()
            for message in process.receive(LOOK_S):
                self._take_in(message)
            if deadline and time.monotonic() > deadline:
                self._attempt.ask_to_stop(TIMEOUT)
            # Before the look, which may take its time with Redis.
            if self._attempt.stop_reason:
                self._stop(process, spec.grace)
            failure = None if self._is_lost else self._look()
            self._shorten_logs(spec.output_limit)
            process.lengthen_leash(self._attempt.held_until)
            if self._attempt.stop_reason:
                continue
            if excess := memory.excess_of(process.survivors):
                failure = {"class": MEMORY_LIMIT, "reason": excess}
            if failure:
                self._error = failure
                self._kill(process)

    def _logs_of(self, orders: dict[str, Any]) -> list[Path]:
        """Returns the files that this worker writes and does not forward: of other ranks and their leader."""
        if not leads_ranks(orders):
            return []
        count, node = orders["processes"], orders["node"]
        ranks = range(node * count, (node + 1) * count)
        logs = [self._paths.rank_log(rank) for rank in ranks if rank]
        return [*logs, Path(orders["output_log"])] if node else logs

    def _shorten_logs(self, limit: int) -> None:
        """Keep below the limit what the processes of the job on this worker print into files of their own."""
        if not self._own_logs or time.monotonic() < self._shorten_at:
            return
        self._shorten_at = time.monotonic() + SHORTEN_S
        for path in self._own_logs:
            with suppress(OSError):
                shorten(path, limit)

    def _stop(self, process: JobProcess, grace_s: float) -> None:
        """Ask once; after the grace, or at once in a hurry, kill."""
        if self._kill_at is None and not self._attempt.hurry:
            self._kill_at = time.monotonic() + grace_s
            process.ask_to_stop()
        if self._kill_at is None or self._attempt.hurry or time.monotonic() > self._kill_at:
            self._was_killed = True
            self._kill(process)

    def _kill(self, process: JobProcess) -> None:
        """Kill all of the job, and the commands that run beside it."""
        self._attempt.commands.end()
        process.kill_tree()

    def _see_gpus_clear(self) -> None:
        """Before anybody may have them; what is still on one keeps it from others, and is shown."""
        node, gpus = self._node, self._attempt.gpus
        if not gpus:
            return
        node.gpu_watch.await_clear(gpus, self._attempt.job_id)
        if node.look_at_gpus(but_for=self._attempt.job_id):
            self._insist(node.register)

    def _orders(self, record: JobRecord, spec: JobSpec, held: ExitStack) -> dict[str, Any]:
        """What the process is told; where files of the job's code are unpacked, they are `held` meanwhile."""
        node = self._node
        threads = node.cpus_per_slot if spec.resources.cpus == "auto" else spec.resources.cpus
        return {
            "spec": spec.to_data(),
            "attempt": self._attempt.number,
            "fresh_after": record.fresh_after,
            "run_dir": str(self._paths.root),
            "output_log": str(self._paths.output_log),
            "umask": node.settings.umask,
            "workdir": record.workdir,
            "code": self._hold_code(record, held),
            "provenance": self._read(lambda: provenance_of(node.store, record)),
            "data_root": str(node.settings.data) if node.settings.data else "",
            "threads": threads,
            "processes": spec.resources.num_processes(len(self._attempt.gpus)),
            "nodes": spec.resources.nodes,
            "node": 0,
            "address": node.address,
            "meeting": "",
            "gpu_memory": record.gpu_memory,
            leash.UNTIL: self._attempt.held_until,
            "environ": {
                # For what the job starts; torch itself is told by `threads`.
                **dict.fromkeys(THREAD_VARIABLES, str(threads)),
                **resolve_environment(spec.env, os.environ),
                **visible_devices(node.gpus_of(self._attempt.gpus)),
                ENV_RUN_DIR: str(self._paths.root),
            },
            # The addresses that the worker writes to are not the job's business.
            "withheld": [variable_of(one.url) for one in spec.notify if is_reference(one.url)],
            "marks": marks_of(record.id, self._attempt.number),
        }

    def _hold_code(self, record: JobRecord, held: ExitStack) -> str:
        """The folder of the user's code as it was submitted, unpacked; '' where the job has none."""
        store, settings = self._node.store, self._node.settings

        def fetch() -> bytes:
            return self._read(lambda: code_archives.fetch(store, settings.runs, record.code))

        return hold_code(held, settings.home, record.code, fetch)

    def _read(self, act: Callable[[], Any]) -> Any:
        """What the job needs before it can start. Raises StoreUnavailableError where we leave without it."""
        found = self._insist(act)
        if found is None:
            raise StoreUnavailableError("Redis is away")
        return found

    def _insist(self, act: Callable[[], Any]) -> Any:
        """Do it, however long Redis is away. Our lease holds as long as nobody takes it from us.

        Returns what `act` returns, or None where the worker is to leave meanwhile.
        """
        while True:
            self._attempt.note_alive()
            try:
                return act()
            except StoreUnavailableError as error:
                if self._node.is_stopping:
                    log.warning("job %s: %s; it is found again by its lease", self._attempt.job_id, error)
                    return None
                time.sleep(RETRY_S)
