from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.submission_check import CheckByWorker
from fusionq.cli.submission_options import Submission, submission_options
from fusionq.cli.words import say, say_end
from fusionq.errors import FusionqError, WorkerError
from fusionq.spec.states import EXIT_CODES, EXIT_DETACHED, Outcome, Status

if TYPE_CHECKING:
    from fusionq.cli.live import Live
    from fusionq.queue.submission import Submitted
    from fusionq.spec.record import JobRecord, SweepRecord

END_S = 20.0
REASON_S = 1.0  # how often a job that waits is asked why


@click.command()
@submission_options
@click.option("--dry-run", is_flag=True, help="Print what would be queued, and queue nothing.")
@click.option("-d", "--detach", is_flag=True, help="Return at once, and print the ids.")
@verb
def run(session: Session, submission: Submission, dry_run: bool, detach: bool) -> int:
    """Submit the jobs of FILE, start what is missing, and follow them to their end, with its exit code.

    A Redis and a worker that are started for them end with them. Ctrl-C leaves the jobs running, and so does
    --detach, which follows nothing. Options change the job as those of `submit` do.

    \b
    fusionq run job.yaml
    fusionq run job.yaml train.epochs=3 optimizer.lr=1e-2
    fusionq run job.yaml optimizer.lr=1e-2,1e-3
    """
    from fusionq.queue.submission import submit_all
    from fusionq.queue.work_folder import work_folder

    loaded = submission.load()
    if dry_run:
        from fusionq.cli.dry_run import print_all

        print_all(session, loaded, is_deep=False)
        return 0
    help_ = _Help(session)
    help_.find_redis()
    help_.find_worker(list(dict.fromkeys(spec.queue for one in loaded for spec in one.jobs)))
    submitted = []
    try:
        folder = work_folder()
        # A worker that was there is warm, and refuses a wrong job before it is queued; one that was started
        # for the job refuses it first thing.
        look = None if help_.has_started_worker else CheckByWorker(session, folder)
        for one in submit_all(session.store, session.sender, session.settings, loaded, folder, look):
            submitted.append(one)
            _say_submitted(one)
        if detach:
            for one in submitted:
                click.echo(one.id)
                say(_goes_on(one))
            return 0
        ends = [_follow(session, one, help_) for one in submitted]
    except (KeyboardInterrupt, BrokenPipeError):  # the person, or who reads the output, has enough
        for one in submitted:
            say(f"\n{_goes_on(one)}")
        return EXIT_DETACHED
    except FusionqError as error:
        if not submitted or isinstance(error, WorkerError):
            for one in submitted:
                _withdraw(session, one)
            help_.leave(keeps_log=isinstance(error, WorkerError))
        raise
    help_.leave()
    for end in ends:
        say_end(end)
    return next((EXIT_CODES[end.outcome] for end in ends if end.outcome is not Outcome.SUCCEEDED), 0)


def _say_submitted(one: Submitted) -> None:
    for note in one.notes:
        say(f"         {note}")
    trials = f", {len(one.loaded.trials)} trials" if one.loaded.trials else ""
    say(f"{'sweep' if trials else 'job':8} {one.spec.name} ({one.id}{trials})")


def _follow(session: Session, one: Submitted, help_: _Help) -> JobRecord | SweepRecord:
    if one.loaded.trials:
        from fusionq.cli.follow_sweep import follow_sweep

        return follow_sweep(session.store, one.id, help_.check_worker)
    from fusionq.cli.live import Live
    from fusionq.client.follow import follow

    with Live() as live:

        def look() -> float | None:
            help_.check_worker()
            return _say_reason(session, one.id, live, help_)

        return follow(session.store, one.id, live, look)


def _say_reason(session: Session, job_id: str, live: Live, help_: _Help) -> float | None:
    """Say why the job waits, as long as it does. Returns in how many seconds to look again."""
    from fusionq.queue.reasons import why_each

    record = session.store.jobs.get(job_id)
    if record.status in (Status.RUNNING, Status.FINISHED):
        return None
    if help_.has_started_worker and not session.store.workers.alive():
        return REASON_S  # it warms up, as was said
    is_queued = record.status is Status.QUEUED
    live.on_reason(why_each(session.store, [job_id]).get(job_id, "") if is_queued else record.reason)
    return REASON_S


def _goes_on(one: Submitted) -> str:
    back = f"fusionq status {one.id}" if one.loaded.trials else f"fusionq logs {one.id} -f"
    return f"{one.spec.name} goes on; back to it: {back}; stop it: fusionq cancel {one.id}"


def _withdraw(session: Session, one: Submitted) -> None:
    reason = "no worker could be started"
    if one.loaded.trials:
        session.store.sweeps.cancel(one.id, reason)
    else:
        session.store.jobs.cancel(one.id, reason)


class _Help:
    """What `run` starts for a job because it is missing, and takes away again."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._worker: subprocess.Popen[bytes] | None = None
        self._has_started_redis = False

    @property
    def has_started_worker(self) -> bool:
        return self._worker is not None

    def find_redis(self) -> None:
        from fusionq.store.embedded import EmbeddedRedis

        settings = self._session.settings
        self._embedded = EmbeddedRedis(settings.home)
        is_embedded = settings.redis_url is None
        self._has_started_redis = is_embedded and not self._embedded.is_running()
        store = self._session.store
        how = ("embedded, started" if self._has_started_redis else "embedded") if is_embedded else "found"
        say(f"redis    {how}: {store.redis.shown_url}")

    def find_worker(self, queues: Sequence[str]) -> None:
        """Start a worker where not all of these queues are served."""
        alive = [w for w in self._session.store.workers.alive() if w.accepting]
        missing = [queue for queue in queues if not any(queue in worker.queues for worker in alive)]
        if not missing:
            say(f"worker   found: {', '.join(worker.name for worker in alive)}")
            return
        from fusionq.cli.worker import MODULE, worker_environ
        from fusionq.spec.private import make_folder, open_file

        folder = self._session.settings.home / "workers"
        make_folder(folder)
        self._log = folder / f"run-{os.getpid()}.log"
        environ = worker_environ(self._session, queues=",".join(missing), exit_when_idle=True)
        with open_file(self._log) as log:
            self._worker = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C here must not reach it: the job goes on
            )
        say(f"worker   started, pid {self._worker.pid}; it warms up for some seconds")

    def check_worker(self) -> None:
        """Raises WorkerError where the worker that we started is gone before its work is done."""
        if self._worker is not None and self._worker.poll() is not None:
            if self._worker.returncode == 0 and self._session.store.workers.alive():
                return  # nothing was left for it, since another worker has the job
            lines = self._log.read_text(errors="replace").strip().splitlines()
            last = (
                lines[-1].removeprefix("fusionq: ") if lines else f"it ended with {self._worker.returncode}"
            )
            raise WorkerError(f"the worker ended: {last}", hint=f"its log is {self._log}")

    def leave(self, *, keeps_log: bool = False) -> None:
        """End what we started, unless others have come to use it. A log that was named is kept."""
        if self._worker is not None and self._end_worker() and not keeps_log:
            self._log.unlink(missing_ok=True)
        if self._has_started_redis:
            self._session.close()
            if self._embedded.other_clients() == 0:
                self._embedded.stop()
            else:
                say("the embedded Redis is in use and stays; stop it with: fusionq down")

    def _end_worker(self) -> bool:
        assert self._worker is not None
        ours = [w for w in self._session.store.workers.alive() if w.pid == self._worker.pid and w.jobs]
        if ours:
            say(f"the worker has other jobs and stays until they are done (pid {self._worker.pid})")
            return False
        self._worker.send_signal(signal.SIGTERM)
        try:
            self._worker.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            self._worker.kill()
            self._worker.wait()
        return True
