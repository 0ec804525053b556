"""`cancel` returns when the job is really gone."""

from __future__ import annotations

import pytest

from fusionq.spec.states import Outcome, Status
from fusionq.store.streams import Streams
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, queued, started


def test_a_job_that_waits_is_gone_at_once(cli: Cli, store):
    queued(store, "aaa")
    done = cli("cancel", "aaa")
    assert (done.code, done.out) == (0, "")
    assert "tiny (aaa) cancelled: cancelled by the user while it waited" in done.err
    assert store.jobs.get("aaa").outcome is Outcome.CANCELLED


def test_a_running_job_is_waited_for(cli: Cli, store, monkeypatch: pytest.MonkeyPatch):
    started(store, "aaa")
    look = Streams.changes

    def obey(self: Streams, *args):
        if not store.jobs.get("aaa").is_finished:
            assert store.jobs.get("aaa").stop_requested == "cancel"
            store.jobs.finish("aaa", 1, Outcome.CANCELLED, "its state is saved")
        return look(self, *args)

    monkeypatch.setattr(Streams, "changes", obey)
    done = cli("cancel", "aaa")
    assert done.code == 0
    assert "cancelled: its state is saved" in done.err


def test_nobody_has_to_wait(cli: Cli, store):
    started(store, "aaa")
    assert cli("cancel", "aaa", "--no-wait").code == 0
    record = store.jobs.get("aaa")
    assert (record.status, record.stop_requested) == (Status.RUNNING, "cancel")


def test_cancelling_twice_is_no_error(cli: Cli, store):
    finished(store, "aaa", Outcome.CANCELLED)
    assert cli("cancel", "aaa").code == 0
