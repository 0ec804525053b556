"""`clean` shows what would go, and removes it where that is asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fusionq.spec.paths import RunPaths, artifact_file
from fusionq.spec.states import Outcome
from fusionq.store import keys
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, queued, started
from tests.queue.test_run_folders import make


@pytest.fixture
def runs(home: Path) -> Path:
    return home / "runs"


def ran(
    store, runs: Path, job_id: str, outcome: Outcome = Outcome.SUCCEEDED, *, days: float = 0, **more
) -> Path:
    """A job that ran on this machine and ended so long ago."""
    finished(store, job_id, outcome, **more)
    folder = make(runs, job_id)
    at = round((store.jobs.get(job_id).finished_at - days * 86_400) * 1000)
    fields = {"run_dir": str(folder), "host": os.uname().nodename, "finished_at": at}
    store.redis.hset(keys.job(job_id), mapping=fields)
    return folder


def left(store) -> list[str]:
    return [record.id for record in store.jobs.newest(100)]


def test_unasked_it_shows_what_is_old_and_removes_nothing(cli: Cli, store, runs: Path):
    folder = ran(store, runs, "aaa", days=31)
    ran(store, runs, "bbb", days=1)
    done = cli("clean")
    assert done.code == 0
    assert "aaa" in done.out
    assert "bbb" not in done.out
    assert "jobs that ended more than 30d 00h ago" in done.err
    assert "1 job would go: 400 B in run folders" in done.err
    assert "nothing was removed; add -y to remove them" in done.err
    assert left(store) == ["aaa", "bbb"]
    assert folder.is_dir()


def test_asked_for_it_removes_the_job_and_its_folder(cli: Cli, store, runs: Path):
    folder = ran(store, runs, "aaa", days=31)
    done = cli("clean", "-y")
    assert "1 job removed: 400 B in run folders" in done.err
    assert left(store) == []
    assert not folder.exists()
    assert cli("status", "aaa").code == 3


def test_what_has_not_ended_is_never_meant(cli: Cli, store, runs: Path):
    queued(store, "aaa")
    started(store, "bbb")
    folder = make(runs, "bbb")
    store.redis.hset(keys.job("bbb"), "run_dir", str(folder))
    assert cli("clean", "--all", "-y").code == 0
    done = cli("clean", "bbb", "-y")
    assert "1 job stays: it has not ended" in done.err
    assert left(store) == ["aaa", "bbb"]
    assert folder.is_dir()
    assert cli("clean", "--state", "running").code == 2


def test_jobs_are_chosen_by_what_they_are_like(cli: Cli, store, runs: Path):
    ran(store, runs, "aaa", Outcome.FAILED, days=8)
    ran(store, runs, "bbb", Outcome.FAILED)
    ran(store, runs, "ccc", days=8)
    cli("clean", "--state", "failed", "--older-than", "7d", "-y")
    assert left(store) == ["bbb", "ccc"]
    cli("clean", "--all", "--keep", "1", "-y")
    assert left(store) == ["ccc"]


def test_large_ones_are_found(cli: Cli, store, runs: Path):
    ran(store, runs, "aaa")
    (ran(store, runs, "bbb") / "big").write_bytes(b"x" * 5000)
    done = cli("clean", "--larger-than", "4KB", "-y")
    assert "1 job removed: 5.4 KB in run folders" in done.err
    assert left(store) == ["aaa"]


def test_the_files_can_stay(cli: Cli, store, runs: Path):
    folder = ran(store, runs, "aaa")
    cli("clean", "aaa", "--keep-files", "-y")
    assert left(store) == []
    assert folder.is_dir()


def test_a_sweep_goes_with_all_its_trials(cli: Cli, store, job_file: Path):
    sweep = cli("submit", job_file, "optimizer.lr=1,2").out.strip()
    done = cli("clean", sweep, "-y")
    assert "2 jobs stay: it has not ended" in done.err
    cli("cancel", sweep)
    assert "2 jobs removed" in cli("clean", sweep, "-y").err
    assert not store.sweeps.exists(sweep)


def test_a_job_that_another_needs_stays_and_it_says_why(cli: Cli, store, runs: Path):
    folder = ran(store, runs, "aaa", days=31)
    queued(store, "bbb", model_from="aaa")
    for arguments in ((), ("-y",)):
        assert "1 job stays: another job will take its model" in cli("clean", *arguments).err
    assert folder.is_dir()


def test_a_folder_on_another_machine_is_told(cli: Cli, store):
    finished(store, "aaa")
    store.redis.hset(keys.job("aaa"), mapping={"run_dir": "/there/aaa", "host": "box2"})
    for arguments in ((), ("-y",)):
        done = cli("clean", "aaa", *arguments)
        assert "1 run folder not on this machine" in done.err
        assert "box2:/there/aaa" in done.err


def test_orphans_are_shown_and_removed(cli: Cli, store, runs: Path):
    known, lost = ran(store, runs, "aaa"), make(runs, "lost")
    artifact = artifact_file(runs, "d1")
    artifact.parent.mkdir()
    artifact.write_bytes(b"code")
    os.utime(artifact, (1, 1))
    done = cli("clean", "--orphans")
    assert str(lost) in done.err
    assert "2 folders" in done.err
    assert "can be put back" not in done.err
    RunPaths(lost).record.touch()
    os.utime(RunPaths(lost).record, (1, 1))
    os.utime(lost, (1, 1))
    done = cli("clean", "--orphans")
    assert "1 job of them can be put back where Redis lost its data: fusionq recover" in done.err
    assert lost.is_dir()
    cli("clean", "--orphans", "-y")
    assert (known.is_dir(), lost.exists(), artifact.exists()) == (True, False, False)


def test_where_jobs_are_kept_for_ever_one_has_to_say_which(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FUSIONQ_RETENTION", "forever")
    done = cli("clean")
    assert (done.code, "kept for ever; say which" in done.err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [("--older-than", "soon"), ("--larger-than", "big"), ("--orphans", "--all"), ("aaa", "--all")],
)
def test_what_makes_no_sense_is_refused(cli: Cli, store, arguments: tuple[str, ...]):
    finished(store, "aaa")
    assert cli("clean", *arguments).code == 2
    assert left(store) == ["aaa"]


def test_it_makes_room_in_a_redis_that_is_full(cli: Cli, store, runs: Path):
    ran(store, runs, "aaa", days=31)
    store.redis.config_set("maxmemory", "1")
    try:
        assert "1 job removed" in cli("clean", "-y").err
    finally:
        store.redis.config_set("maxmemory", "0")
    assert left(store) == []
