"""A worker controls its jobs, and can be controlled, whatever these do and is done to it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psutil
import pytest

from fusionq.queue.names import SCHEDULE_QUEUE, node_queue
from fusionq.spec.states import Outcome
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.keys import CELERY_PREFIX
from fusionq.worker.stderr_log import write_if_possible
from tests.acceptance.installation import LONG_S, SLOWLY, Installation
from tests.slow_link import SlowLink
from tests.support import is_gone, wait_until

pytestmark = pytest.mark.acceptance

# A trainer whose first batch never stops printing.
LOUD = """
import os, fusionq as tf

class Loud(tf.StandardModel):
    def __train_func__(self, *arguments):
        line = b"x" * 99_999 + b"\\n"
        os.write(1, b"the first line\\n")
        while True:
            os.write(1, line)
"""
LIMIT = 20_000_000

# A worker whose Celery runs into an error that nobody foresaw.
CRASHING_WORKER = """
import os
from fusionq.queue.celery_transport import TolerantChannel
from fusionq.worker.__main__ import main

read = TolerantChannel._brpop_read

def fail(self, **options):
    if os.path.exists("now"):
        raise RuntimeError("nobody foresaw this")
    return read(self, **options)

TolerantChannel._brpop_read = fail
main()
"""


@pytest.fixture
def link(installation: Installation) -> Iterator[SlowLink]:
    """The way of the worker to Redis; the test itself has a faster one."""
    installation.cli("up")
    link = SlowLink(installation.home / "link", EmbeddedRedis(installation.home).socket)
    yield link
    link.close()


def test_a_job_that_never_stops_printing_is_cancelled_over_a_slow_link(
    installation: Installation, link: SlowLink
) -> None:
    (installation.workdir / "loud.py").write_text(LOUD)
    worker = installation.begin_worker("one", FUSIONQ_REDIS_URL=link.url)
    job_id = installation.submit("trainer=loud.Loud", "grace=0s", f"output_limit={LIMIT}")
    log = installation.home / "runs" / job_id / "output.log"
    wait_until(lambda: log.exists() and log.stat().st_size > LIMIT // 2, timeout_s=LONG_S, what="noise")
    link.delay_s = 0.05
    assert installation.cli("cancel", job_id, timeout_s=60).returncode == 0
    assert installation.store.jobs.get(job_id).outcome is Outcome.CANCELLED
    text = log.read_bytes()
    assert len(text) <= LIMIT
    assert b"the first line" in text[:100_000]
    assert b" bytes of output are missing here" in text
    link.delay_s = 0.0
    worker.terminate()
    assert worker.wait(timeout=120) == 0


def test_a_worker_whose_log_nobody_reads_survives_garbage_and_a_hung_fork_server_and_is_stopped(
    installation: Installation,
) -> None:
    installation.cli("up")
    reader, writer = os.pipe()
    while write_if_possible(writer, b"x" * 4096):
        pass  # until the pipe is full
    worker = installation.begin_worker("one", log=writer)
    os.close(writer)
    wait_until(lambda: installation.is_ready("one", worker), timeout_s=LONG_S, what="the worker ready")
    for garbage in ("garbage", "{}"):
        installation.store.redis.lpush(f"{CELERY_PREFIX}{SCHEDULE_QUEUE}", garbage)
        installation.store.redis.lpush(f"{CELERY_PREFIX}{node_queue('one')}", garbage)
    assert installation.await_end(installation.submit("train.epochs=1")).outcome is Outcome.SUCCEEDED

    (server,) = psutil.Process(worker.pid).children()
    server.suspend()
    job_id = installation.submit("name=hung")
    wait_until(lambda: installation.store.jobs.get(job_id).status == "running", timeout_s=LONG_S)
    assert installation.cli("cancel", job_id, "--now", timeout_s=60).returncode == 0
    assert installation.store.jobs.get(job_id).reason == "cancelled by the user; it had not begun"
    os.close(reader)
    worker.terminate()
    assert worker.wait(timeout=120) == 0
    assert is_gone(server)


def test_a_worker_gets_another_slot_and_that_celery_lets_down_gives_its_jobs_back_and_ends_with_a_code(
    installation: Installation,
) -> None:
    installation.cli("up")
    (installation.workdir / "crash.py").write_text(CRASHING_WORKER)
    worker = installation.start_worker("one", ("crash.py",))
    job_id = installation.submit("train.epochs=500", *SLOWLY)
    installation.await_epochs(job_id, 1)
    done = installation.cli("worker", "set", "one", "--slots", "2")
    assert (done.returncode, done.stderr) == (0, "one has 2 slots now\n")
    beside = installation.submit("name=beside", "train.epochs=500", *SLOWLY)
    installation.await_epochs(beside, 1)
    assert installation.store.jobs.get(job_id).attempt == 1
    (installation.workdir / "now").touch()
    installation.store.redis.lpush(f"{CELERY_PREFIX}{node_queue('one')}", "anything")
    assert worker.wait(timeout=60) == 1
    for each in (job_id, beside):
        record = installation.store.jobs.get(each)
        assert (record.status, record.losses) == ("queued", 0)
        assert record.reason == "its worker was shut down; its state is saved"
