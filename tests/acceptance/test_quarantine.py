"""A worker on which every job fails does not eat the queue."""

from __future__ import annotations

import pytest

from fusionq.spec.states import Outcome
from tests.acceptance.installation import Installation
from tests.support import wait_until

pytestmark = pytest.mark.acceptance

TRAINERS = """
import os
import fusionq as tf

class Picky(tf.StandardModel):
    def __train_func__(self, *arguments):
        if os.environ.get("IS_BROKEN"):
            raise OSError("no such device")
        super().__train_func__(*arguments)
"""
PICKY = ("trainer=trainers.Picky", "train.epochs=1")


def test_a_broken_worker_is_found_out_its_victims_succeed_elsewhere_and_it_can_come_back(
    installation: Installation,
) -> None:
    (installation.workdir / "trainers.py").write_text(TRAINERS)
    installation.cli("up")
    installation.environ["IS_BROKEN"] = "1"
    installation.start_worker("broken")
    victims = [installation.submit(*PICKY, f"name=victim{number}") for number in range(3)]
    for job_id in victims:
        assert installation.await_end(job_id).failure == "error"
    del installation.environ["IS_BROKEN"]
    installation.start_worker("sound")
    workers = installation.store.workers
    # The broken one is suspect by now, so the next jobs come to the other, which shows who is to blame.
    more = [installation.submit(*PICKY, f"name=more{number}") for number in range(4)]
    for job_id in (*victims, *more):
        wait_until(
            lambda job_id=job_id: installation.store.jobs.get(job_id).outcome is Outcome.SUCCEEDED,
            timeout_s=60,
            what=f"{job_id} on the other worker",
        )
        record = installation.store.jobs.get(job_id)
        assert (record.worker, record.losses) == ("sound", 0)

    shown = installation.cli("workers")
    assert "quarantined" in shown.stdout
    assert "while others succeeded elsewhere; it tries again after 10m 00s" in shown.stderr
    assert installation.cli("worker", "resume", "broken").returncode == 0
    wait_until(
        lambda: any(w.name == "broken" and w.accepting for w in workers.alive()),
        timeout_s=120,
        what="the worker back",
    )
