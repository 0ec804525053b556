from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say, say_end
from fusionq.errors import WorkerError
from fusionq.spec.states import EXIT_CODES, EXIT_DETACHED

if TYPE_CHECKING:
    from fusionq.spec.job import JobSpec

END_S = 20.0


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY.PATH=VALUE]...")
@verb
def run(session: Session, file: Path, overrides: tuple[str, ...]) -> int:
    """Submit the job in FILE, start what is missing, and follow it to its end, with its exit code.

    A Redis and a worker that are started for it end with it. Ctrl-C leaves the job running.

    \b
    fusionq run jobs/mnist.yaml
    fusionq run jobs/mnist.yaml train.epochs=3 optimizer.lr=1e-2
    """
    from fusionq.cli.follow import follow
    from fusionq.cli.live import Live
    from fusionq.queue.freezing import freeze
    from fusionq.queue.submitting import submit as put
    from fusionq.spec.load import load_job

    spec = load_job(file, overrides)
    help_ = _Help(session)
    help_.find_redis()
    frozen = freeze(session.store, session.settings, spec, Path.cwd())
    for note in frozen.notes:
        say(note)
    help_.find_worker(spec)
    job_id = put(session.store, session.sender, spec, Path.cwd(), frozen)
    say(f"job      {spec.name} ({job_id})")
    try:
        with Live() as live:
            record = follow(session.store, job_id, live, help_.check_worker)
    except KeyboardInterrupt:
        say(f"\nthe job goes on; back to it: fusionq logs {job_id} -f; stop it: fusionq cancel {job_id}")
        return EXIT_DETACHED
    except WorkerError:
        session.store.jobs.cancel(job_id, "no worker could be started")
        help_.leave()
        raise
    help_.leave()
    say_end(record)
    return EXIT_CODES[record.outcome] if record.outcome else 1


class _Help:
    """What `run` starts for a job because it is missing, and takes away again."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._worker: subprocess.Popen[bytes] | None = None
        self._has_started_redis = False

    def find_redis(self) -> None:
        from fusionq.store.embedded import EmbeddedRedis

        settings = self._session.settings
        self._embedded = EmbeddedRedis(settings.home)
        is_embedded = settings.redis_url is None
        self._has_started_redis = is_embedded and not self._embedded.is_running()
        store = self._session.store
        how = ("embedded, started" if self._has_started_redis else "embedded") if is_embedded else "found"
        say(f"redis    {how}: {store.redis.shown_url}")

    def find_worker(self, spec: JobSpec) -> None:
        alive = [w for w in self._session.store.workers.alive() if w.accepting and spec.queue in w.queues]
        if alive:
            say(f"worker   found: {', '.join(worker.name for worker in alive)}")
            return
        from fusionq.cli.worker import MODULE, worker_environ

        folder = self._session.settings.home / "workers"
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / f"run-{os.getpid()}.log"
        environ = worker_environ(self._session, queues=spec.queue, exit_when_idle=True)
        with self._log.open("wb") as log:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", MODULE],
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
            lines = self._log.read_text(errors="replace").strip().splitlines()
            last = (
                lines[-1].removeprefix("fusionq: ") if lines else f"it ended with {self._worker.returncode}"
            )
            raise WorkerError(f"the worker ended: {last}", hint=f"its log is {self._log}")

    def leave(self) -> None:
        """End what we started, unless others have come to use it."""
        if self._worker is not None and self._end_worker():
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
