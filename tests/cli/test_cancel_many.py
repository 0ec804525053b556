"""`cancel` of jobs that options choose, and of several at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusionq.cli import selecting
from fusionq.client import wait as wait_module
from fusionq.spec.states import Outcome, Status
from fusionq.store.streams import Streams
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, queued, started


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch):
    """A person at a terminal, who answers as told."""

    def answering(word: bool) -> list[str]:
        asked: list[str] = []
        monkeypatch.setattr(selecting.sys.stdin, "isatty", lambda: True, raising=False)

        def confirm(text: str, **_: object) -> bool:
            asked.append(text)
            if not word:
                raise selecting.click.Abort
            return word

        monkeypatch.setattr(selecting.click, "confirm", confirm)
        return asked

    return answering


def outcome(store, job_id: str) -> Outcome | None:
    return store.jobs.get(job_id).outcome


def test_options_choose_among_the_jobs_that_have_not_ended(cli: Cli, store):
    queued(store, "aaa", tags='["x"]')
    queued(store, "bbb")
    finished(store, "ccc", tags='["x"]')
    done = cli("cancel", "--tag", "x")
    assert (done.code, done.out) == (0, "")
    assert "tiny (aaa) cancelled" in done.err
    assert [outcome(store, job_id) for job_id in ("aaa", "bbb", "ccc")] == [
        Outcome.CANCELLED,
        None,
        Outcome.SUCCEEDED,
    ]


def test_a_script_that_would_hit_several_has_to_be_sure(cli: Cli, store):
    for job_id in ("aaa", "bbb"):
        queued(store, job_id)
    done = cli("cancel", "--all")
    assert done.code == 2
    assert "this would cancel 2 jobs; say -y" in done.err
    assert outcome(store, "aaa") is None
    assert cli("cancel", "--all", "-y").code == 0
    assert outcome(store, "aaa") is outcome(store, "bbb") is Outcome.CANCELLED


def test_a_person_is_asked_and_may_say_no(cli: Cli, store, terminal):
    for job_id in ("aaa", "bbb"):
        queued(store, job_id)
    asked = terminal(False)
    assert cli("cancel", "--state", "queued").code == 130
    assert asked == ["cancel these 2 jobs?"]
    assert outcome(store, "aaa") is None
    terminal(True)
    assert cli("cancel", "--state", "queued").code == 0
    assert outcome(store, "aaa") is Outcome.CANCELLED


def test_nobody_is_asked_about_jobs_that_were_named(cli: Cli, store):
    for job_id in ("aaa", "bbb"):
        queued(store, job_id)
    assert cli("cancel", "aaa", "bbb").code == 0
    assert outcome(store, "aaa") is outcome(store, "bbb") is Outcome.CANCELLED


def test_the_running_ones_are_waited_for_together(cli: Cli, store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wait_module, "LONGEST_BLOCK_S", 0.01)
    for job_id in ("aaa", "bbb"):
        started(store, job_id)
    queued(store, "ccc")
    ends, to_end = Streams.changes, ["bbb", "aaa"]

    def obey(self: Streams, *args):
        if to_end:
            assert (
                store.jobs.get("aaa").stop_requested == store.jobs.get("bbb").stop_requested
                or len(to_end) < 2
            )
            store.jobs.finish(to_end.pop(0), 1, Outcome.CANCELLED, "its state is saved")
        return ends(self, *args)

    monkeypatch.setattr(Streams, "changes", obey)
    done = cli("cancel", "--all", "-y")
    assert done.code == 0
    lines = done.err.splitlines()
    assert "(ccc) cancelled" in lines[0]
    assert "saving the state of 2 jobs" in lines[1]
    assert "(bbb) cancelled: its state is saved" in lines[2]
    assert "(aaa) cancelled" in lines[3]


def test_in_a_hurry_they_are_killed_at_once(cli: Cli, store):
    started(store, "aaa")
    assert cli("cancel", "--all", "--now", "--no-wait").code == 0
    assert store.jobs.get("aaa").stop_requested == "cancel_now"


def test_a_job_that_succeeded_meanwhile_is_told_as_it_is(cli: Cli, store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wait_module, "LONGEST_BLOCK_S", 0.01)
    started(store, "aaa")
    ends = Streams.changes

    def win(self: Streams, *args):
        store.jobs.finish("aaa", 1, Outcome.SUCCEEDED, "")
        return ends(self, *args)

    monkeypatch.setattr(Streams, "changes", win)
    done = cli("cancel", "aaa")
    assert (done.code, "(aaa) succeeded" in done.err) == (0, True)


def test_of_several_that_were_named_the_others_are_cancelled_all_the_same(cli: Cli, store):
    finished(store, "aaa")
    queued(store, "bbb")
    done = cli("cancel", "aaa", "bbb")
    assert done.code == 7
    assert "aaa has ended already: succeeded" in done.err
    assert outcome(store, "bbb") is Outcome.CANCELLED


def test_without_any_worker_nobody_waits_for_ever(cli: Cli, store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wait_module, "LONGEST_BLOCK_S", 0.01)
    started(store, "aaa")
    store.workers.unregister("worker", "token")
    done = cli("cancel", "aaa")
    assert done.code == 7
    assert "they end as soon as a worker starts: fusionq worker" in done.err


def test_the_trials_of_a_sweep_that_wait_are_chosen_by_their_state(cli: Cli, store, job_file: Path):
    sweep = cli("submit", job_file, "optimizer.lr=1,2,3").out.strip()
    assert cli("cancel", "--sweep", sweep[:4], "--state", "queued", "-y").code == 0
    assert store.sweeps.get(sweep).counts == {"cancelled": 3}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which jobs? name them: fusionq cancel JOB"),
        (["aaa", "--all"], "not both"),
        (["--state", "quued"], "did you mean 'queued'?"),
        (["--state", "failed"], "this is not for jobs that are failed"),
    ],
)
def test_what_makes_no_sense_is_refused(cli: Cli, store, arguments: list[str], said: str):
    queued(store, "aaa")
    done = cli("cancel", *arguments)
    assert (done.code, said in done.err) == (2, True), done.err
    assert store.jobs.get("aaa").status is Status.QUEUED


def test_where_no_job_is_like_that_it_says_so(cli: Cli):
    done = cli("cancel", "--user", "nobody")
    assert (done.code, done.err) == (0, "no active job matches\n")
