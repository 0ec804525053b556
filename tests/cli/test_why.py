"""`why`: one sentence."""

from __future__ import annotations

import pytest

from fusionq.spec.states import Outcome
from tests.cli.conftest import Cli
from tests.cli.jobs import queued, serving
from tests.support import running


def test_what_waits_says_for_what_where_it_fits_and_when_it_is_likely_to_start(cli: Cli, store):
    queued(store, "aaa")
    assert cli("why", "aaa").out == "tiny (aaa) is queued: no worker is alive; start one: fusionq worker\n"
    serving(store, "box")
    assert cli("why", "aaa").out == "tiny (aaa) is about to start\n"
    queued(store, "bbb")
    running(store, "aaa", "box")
    store.jobs.note_progress("aaa", {"kind": "progress", "eta_s": 300.0})
    expected = "is queued: waits for a free slot, it is next; it fits on box; likely to start in about 5m 00s"
    assert cli("why", "bbb").out == f"tiny (bbb) {expected}\n"


def test_what_came_back_says_so(cli: Cli, store):
    queued(store, "aaa")
    queued(store, "bbb")
    serving(store, "box")
    store.jobs.requeue("aaa", running(store, "aaa", "box"), "its worker was shut down")
    running(store, "bbb", "box")
    assert "(aaa) is queued once more (its worker was shut down): waits for" in cli("why", "aaa").out


def test_what_is_kept_back_runs_or_has_ended_says_so(cli: Cli, store):
    for job_id in ("aaa", "bbb", "ccc", "ddd"):
        queued(store, job_id)
    serving(store, "box", slots=4)
    store.jobs.hold("aaa", "held by ada")
    assert cli("why", "aaa").out.startswith("tiny (aaa) is held by ada")
    attempt = running(store, "bbb", "box")
    assert cli("why", "bbb").out.startswith("tiny (bbb) runs on box")
    store.jobs.finish("bbb", attempt, Outcome.FAILED, "out of memory: 2 GiB", failure="oom")
    said = cli("why", "bbb").out
    assert said.startswith("tiny (bbb) failed: out of memory: 2 GiB; take a smaller data.batch_size")
    store.jobs.finish("ccc", running(store, "ccc", "box"), Outcome.SUCCEEDED, "")
    assert cli("why", "ccc").out == "tiny (ccc) succeeded: nothing was measured\n"
    store.jobs.cancel("ddd", "cancelled by the user")
    assert (
        "(ddd) cancelled: cancelled by the user; go on from where it was: fusionq retry ddd"
        in cli("why", "ddd").out
    )


@pytest.mark.parametrize("reference", ["nothing"])
def test_a_job_that_nobody_knows_is_not_found(cli: Cli, store, reference: str):
    assert cli("why", reference).code == 3
