"""The Celery app of a worker, and what happens at the turns of its life.

`fusionq worker` and plain `celery -A fusionq.worker.app worker -P threads` start the same thing.
"""

from __future__ import annotations

import logging
import signal
from typing import Any, NoReturn

from celery import signals
from celery.bootsteps import StartStopStep
from celery.platforms import EX_OK
from celery.worker import state

from fusionq.errors import FusionqError
from fusionq.queue.celery_app import control_channels, make_app
from fusionq.queue.names import CHECK_TASK, EXEC_TASK, RUN_TASK, SCHEDULE_TASK, SEND_TASK
from fusionq.queue.scheduling import schedule
from fusionq.spec.settings import Settings
from fusionq.spec.stops import MOST_SLOTS
from fusionq.store.store import Store, redis_url
from fusionq.worker.celery_results import ResultView
from fusionq.worker.command_runner import run_command
from fusionq.worker.file_transfer import send_files
from fusionq.worker.heartbeat import Beat, say
from fusionq.worker.job_check import check_jobs
from fusionq.worker.options import WorkerOptions
from fusionq.worker.processes.tree import kill_orphans
from fusionq.worker.prometheus import serve_metrics
from fusionq.worker.stderr_log import STDERR, say_last_words, set_up_log, write_if_possible
from fusionq.worker.supervisor import supervise
from fusionq.worker.worker import Node, settings_for_worker

log = logging.getLogger("fusionq.worker")

# Beside a thread for each slot: scheduling passes, and messages that turn out to be stale.
EXTRA_THREADS = 3
EXIT_CRASHED = 1
IGNORES_HANGUP = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # started with nohup


def _redis_url() -> str:
    """Celery asks for it before its first signal, and would print a traceback."""
    try:
        return redis_url(Settings.load())
    except FusionqError as error:
        return _refuse(str(error), error.exit_code)


def _refuse(message: str, exit_code: int = 2) -> NoReturn:
    say_last_words(message)
    _Life.exit_code = exit_code
    raise SystemExit(exit_code)


app = make_app(_redis_url)


class _Life:
    """What the signals of one worker process hand to each other."""

    node: Node
    beat: Beat | None = None
    has_node = False
    exit_code = 0
    ended_unasked = False


@app.task(name=SCHEDULE_TASK)
def schedule_task() -> None:
    """One scheduling pass."""
    try:
        schedule(_Life.node.store, _Life.node.sender)
    except FusionqError as error:
        log.warning("scheduling: %s; the next pass finds what this one left", error)


@app.task(name=RUN_TASK)
def run_task(job_id: str, attempt: int) -> None:
    """Supervise one attempt."""
    try:
        supervise(_Life.node, ResultView(app), job_id, attempt)
    except FusionqError as error:
        log.error("job %s attempt %d: %s", job_id, attempt, error)


@app.task(name=SEND_TASK)
def send_task(job_id: str, parts: list[str], token: str) -> None:
    """Send files of a job to who asked for them."""
    send_files(_Life.node, job_id, parts, token)


@app.task(name=CHECK_TASK)
def check_task(token: str) -> None:
    """Check jobs that somebody is about to submit."""
    check_jobs(_Life.node, token)


@app.task(name=EXEC_TASK)
def exec_task(token: str) -> None:
    """Run a command beside a job for who asked for it."""
    run_command(_Life.node, token)


@signals.setup_logging.connect
def _set_up_logging(loglevel: Any = None, **_: Any) -> None:
    set_up_log()


@signals.celeryd_init.connect
def _make_node(conf: Any = None, instance: Any = None, options: Any = None, **_: Any) -> None:
    """Before anything is set up: who we are, and how many threads that takes."""
    pool = (options or {}).get("pool")
    if pool is not None and "thread" not in str(pool):
        _refuse(f"the pool {pool!r} cannot supervise job processes; start with -P threads")
    try:
        settings = Settings.load()
        store = Store.open(settings)
        store.check()
        store.check_channels(control_channels(store.url))
        _Life.node = Node(settings_for_worker(settings, store), WorkerOptions.from_environ(), store, app)
    except FusionqError as error:
        _refuse(str(error), error.exit_code)
    _Life.has_node = True
    if orphans := kill_orphans():
        log.warning("killed what jobs of a dead worker left behind: processes %s", orphans)
    _Life.node.launcher.begin()
    # The most that it may be asked for; the pool starts a thread when it needs one.
    conf.worker_concurrency = MOST_SLOTS + EXTRA_THREADS


@signals.celeryd_after_setup.connect
def _listen_to_own_queue(instance: Any = None, **_: Any) -> None:
    if instance.concurrency and instance.concurrency < _Life.node.slots + EXTRA_THREADS:
        _refuse(
            f"{_Life.node.slots} slots need a concurrency of {_Life.node.slots + EXTRA_THREADS}; leave out -c"
        )
    instance.app.amqp.queues.select_add(_Life.node.queue)


class _Control(StartStopStep):
    """Takes part in Celery's own start and end."""

    requires = ("celery.worker.components:Pool",)

    def start(self, parent: Any) -> None:
        def resize(slots: int) -> None:
            """Celery takes no more messages than that at once."""
            parent.pool.limit = slots + EXTRA_THREADS

        resize(_Life.node.slots)
        _Life.node.on_resize = resize
        self._catch_signals()

    def _catch_signals(self) -> None:
        """Celery's handlers end tasks in ways that a pool of threads does not know, and may fail to print."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, _stop)
        # Celery would start the worker anew and kill its jobs when a terminal is closed.
        signal.signal(signal.SIGHUP, signal.SIG_IGN if IGNORES_HANGUP else _stop)

    def close(self, parent: Any) -> None:
        """However it came to this end: Celery waits for the jobs, so they are asked to stop."""
        if not _Life.node.is_stopping and not _Life.exit_code:
            _Life.ended_unasked = True
            log.error("Celery's part of the worker ended; jobs save their state and go back to their queues")
            _Life.node.begin_to_stop(hurry=False)


app.steps["worker"].add(_Control)


@signals.worker_ready.connect
def _begin(**_: Any) -> None:
    """Warm up first: a job that is assigned to us starts at once."""
    node = _Life.node
    try:
        if address := node.options.metrics_port:
            log.info("metrics at %s", serve_metrics(node, address))
        node.launcher.await_ready(lambda: node.is_stopping)
    except FusionqError as error:
        node.leave()
        _refuse(str(error), error.exit_code)
    beat = _Life.beat = Beat(node)
    beat.start()
    log.info("%s", say(node))


def _stop(*_: Any) -> None:
    """The first signal asks the jobs to save their state, a second one does not wait for that."""
    is_second = _Life.node.is_stopping
    words = "killing the jobs" if is_second else "stopping; jobs save their state. Once more: kill them"
    _Life.node.begin_to_stop(hurry=is_second)
    state.should_stop = EX_OK
    write_if_possible(STDERR, f"{words}\n".encode())  # last: nobody may read it


@signals.worker_shutdown.connect
def _leave(**_: Any) -> None:
    if _Life.has_node:
        if _Life.beat is not None:
            _Life.beat.stop()
        _Life.node.leave()


def exit_code() -> int:
    """Of a worker that has ended: Celery's own way to start one keeps it to itself.

    It is 0 only for a worker that was told to leave: what ends one unasked is to start it again.
    """
    if _Life.exit_code:
        return _Life.exit_code
    was_asked = _Life.has_node and _Life.node.is_stopping and not _Life.ended_unasked
    return 0 if was_asked else EXIT_CRASHED
