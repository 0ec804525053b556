"""`recover` shows what it would put back, and does it where that is asked for."""

from __future__ import annotations

from pathlib import Path

from fusionq.spec.paths import RunPaths
from fusionq.spec.run_record import RunRecord
from tests.cli.conftest import Cli

NOTHING = "Redis has lost no job whose run folder is here"


def lost(runs: Path, job_id: str, place: str) -> None:
    """The run folder of a job that had ended and of which Redis knows nothing."""
    paths = RunPaths.of_job(runs, job_id)
    paths.root.mkdir(parents=True)
    fields = {"name": "tiny", "queue": "default", "status": "finished", "outcome": "failed", "reason": "oops"}
    RunRecord({**fields, "priority": "0"}, 15.0, place).write(paths.record)


def test_unasked_it_shows_and_changes_nothing(cli: Cli, store, home: Path):
    lost(home / "runs", "abc", store.place)
    done = cli("recover")
    assert done.code == 0
    assert done.out.split()[-4:] == ["abc", "tiny", "failed", "oops"]
    assert done.err == "1 job would be put back; add -y to do it\n"
    assert store.jobs.count() == 0


def test_asked_for_it_puts_them_back_once(cli: Cli, store, home: Path):
    lost(home / "runs", "abc", store.place)
    assert "1 job put back" in cli("recover", "-y").err
    assert store.jobs.get("abc").reason == "oops"
    recovered_ms = store.identity.read().recovered_ms
    assert recovered_ms
    assert NOTHING in cli("recover", "-y").err
    assert NOTHING in cli("recover").err
    assert store.identity.read().recovered_ms == recovered_ms  # no worker lets anything go for it


def test_what_was_removed_on_purpose_does_not_come_back(cli: Cli, store, home: Path):
    lost(home / "runs", "abc", store.place)
    cli("recover", "-y")
    assert "1 job removed" in cli("clean", "abc", "--keep-files", "-y").err
    assert NOTHING in cli("recover").err


def test_jobs_of_another_redis_are_left_alone_unless_it_is_gone(cli: Cli, store, home: Path):
    lost(home / "runs", "abc", "redis://other:6379")
    assert "1 job ran under another Redis (redis://other:6379)" in cli("recover", "-y").err
    assert store.jobs.count() == 0
    assert "1 job put back" in cli("recover", "-y", "--any-redis").err
    assert store.jobs.count() == 1
