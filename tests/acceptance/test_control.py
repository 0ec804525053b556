"""A worker controls its jobs, and can be controlled, whatever these do and is done to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fusionq.spec.states import Outcome
from fusionq.store.embedded import EmbeddedRedis
from tests.acceptance.installation import LONG_S, Installation
from tests.slow_link import SlowLink
from tests.support import wait_until

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
    assert worker.wait(timeout=30) == 0
