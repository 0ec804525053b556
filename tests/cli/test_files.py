"""`open` and `download`: the files of a job."""

from __future__ import annotations

from pathlib import Path

from fusionq.store import keys
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, queued


def test_the_folder_is_printed_where_it_is_to_be_seen(cli: Cli, store, tmp_path: Path):
    finished(store, "aaa")
    store.redis.hset(keys.job("aaa"), "run_dir", str(tmp_path))
    assert cli("open", "aaa").out == f"{tmp_path}\n"
    store.redis.hset(keys.job("aaa"), "run_dir", "/not/here")
    done = cli("open", "aaa")
    assert done.code == 3
    assert "/not/here on host" in done.err
    assert "fusionq download aaa" in done.err


def test_before_it_has_started_there_is_nothing(cli: Cli, store):
    queued(store, "aaa")
    for verb in ("open", "download"):
        done = cli(verb, "aaa")
        assert (done.code, done.out) == (3, "")
        assert "aaa has not started yet" in done.err


def test_files_are_fetched_and_named(cli: Cli, store, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    (run / "plots").mkdir(parents=True)
    (run / "output.log").write_text("one\n")
    (run / "plots" / "loss.png").write_bytes(b"x")
    finished(store, "aaa")
    store.redis.hset(keys.job("aaa"), "run_dir", str(run))
    done = cli("download", "aaa")
    assert (done.code, done.out.split()) == (0, ["aaa/output.log", "aaa/plots/loss.png"])
    assert (tmp_path / "aaa" / "output.log").read_text() == "one\n"
    assert cli("download", "aaa", "--logs", "-o", "there").out.split() == ["there/output.log"]
    assert cli("download", "aaa", "--best").code == 3


def test_a_folder_that_takes_no_files_is_named(cli: Cli, store, tmp_path: Path):
    root = tmp_path / "run"
    root.mkdir()
    (root / "output.log").write_text("hello")
    finished(store, "aaa")
    store.redis.hset(keys.job("aaa"), "run_dir", str(root))
    (tmp_path / "file").touch()
    done = cli("download", "aaa", "-o", str(tmp_path / "file" / "in it"))
    assert done.code == 2
    assert "Not a directory; choose another with -o" in done.err
