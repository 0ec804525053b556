"""Mistakes are answered in one line each, with the right exit code and the next step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fusionq.cli import app
from fusionq.cli.app import run
from fusionq.errors import NotFoundError
from tests.cli.conftest import Cli, Done
from tests.cli.jobs import finished, queued
from tests.support import ONE_JOB


def refuses(done: Done, code: int, line: str, excerpt: str = "") -> None:
    """It ended with that code and said that line alone, with the lines of the file, on stderr."""
    assert (done.code, done.out) == (code, "")
    assert done.err == line + "\n" + excerpt


def mistakes_in(done: Done) -> list[str]:
    """What was told, without the lines of the file."""
    return [line for line in done.err.splitlines() if not line.startswith("  ")]


# --- job files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["submit", "run"])
def test_a_file_that_is_not_there(cli: Cli, verb: str, job_file: Path):
    refuses(
        cli(verb, "nowhere.yaml"),
        3,
        "fusionq: nowhere.yaml: no such file; `fusionq init` writes a job file to start from",
    )


def test_a_folder_instead_of_a_file(cli: Cli, tmp_path: Path):
    refuses(cli("submit", tmp_path), 2, f"{tmp_path}: this is a folder; name a job file in it")


def test_a_file_that_is_no_yaml(cli: Cli, job_file: Path):
    job_file.write_text("name: [unclosed\nmodel: 1\n")
    done = cli("submit", job_file)
    assert (done.code, done.out) == (2, "")
    assert mistakes_in(done)[0] == "tiny.yaml:1:7: is not valid YAML: this bracket is never closed"


def test_a_key_that_does_not_exist(cli: Cli, job_file: Path):
    job_file.write_text(ONE_JOB.strip() + "\ntrian: {epochs: 3}\n")
    refuses(
        cli("submit", job_file),
        2,
        "tiny.yaml:6:1: unknown key 'trian'; did you mean 'train'?",
        "  5 | optimizer: {_target_: SGD, lr: 0.1}\n  6 | trian: {epochs: 3}\n    | ^^^^^\n",
    )


@pytest.mark.parametrize(
    ("key", "meant"), [("lr", "optimizer.lr"), ("epochs", "train.epochs"), ("batch_size", "data.batch_size")]
)
def test_a_key_at_the_wrong_place_is_shown_its_own(cli: Cli, job_file: Path, key: str, meant: str):
    done = cli("submit", job_file, f"{key}=1")
    refuses(done, 2, f"override '{key}=1': unknown key '{key}'; did you mean '{meant}'?")


def test_a_value_of_the_wrong_kind(cli: Cli, job_file: Path):
    job_file.write_text(ONE_JOB.strip() + "\ntrain: {epochs: many}\n")
    assert mistakes_in(cli("submit", job_file)) == [
        "tiny.yaml:6:9: train.epochs: expected a whole number, but this is 'many'"
    ]


def test_a_class_that_nobody_knows(cli: Cli, job_file: Path):
    job_file.write_text(ONE_JOB.replace("SGD", "Adem"))
    done = cli("submit", job_file)
    assert done.code == 2
    assert "did you mean 'Adam'?" in done.err
    assert done.err.startswith("tiny.yaml:6:")
    assert len(mistakes_in(done)) == 1


def test_an_override_that_is_none(cli: Cli, job_file: Path):
    refuses(
        cli("submit", job_file, "epochs"),
        2,
        "override 'epochs': write key.path=value, such as optimizer.lr=1e-2, or ~key.path",
    )


def test_an_override_of_the_wrong_kind_names_the_override(cli: Cli, job_file: Path):
    refuses(
        cli("submit", job_file, "train.epochs=none"),
        2,
        "override 'train.epochs=none': train.epochs: expected a whole number, but this is 'none'",
    )


def test_all_mistakes_of_a_file_are_told_at_once(cli: Cli, job_file: Path):
    job_file.write_text(ONE_JOB.strip() + "\ntrian: {epochs: 3}\npriority: high\n")
    done = cli("submit", job_file, "train.epochs=0")
    assert done.code == 2
    assert len(mistakes_in(done)) == 3


def test_a_wrong_file_submits_nothing(cli: Cli, job_file: Path, store):
    cli("submit", job_file, "train.epochs=0")
    assert store.jobs.count() == 0


# --- jobs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["status", "logs", "cancel"])
def test_a_job_that_nobody_knows(cli: Cli, verb: str):
    refuses(cli(verb, "zzz"), 3, "fusionq: no such job: 'zzz'; `fusionq status` lists the jobs")


def test_the_last_job_where_there_is_none(cli: Cli):
    refuses(
        cli("status", "last"),
        3,
        "fusionq: no job was ever submitted; write one: fusionq init; submit it: fusionq submit job.yaml",
    )


def test_a_beginning_of_several_ids(cli: Cli, store):
    queued(store, "abcd")
    queued(store, "abef")
    refuses(
        cli("logs", "ab"),
        2,
        "fusionq: 'ab' is the beginning of several jobs: abcd, abef; write one more letter",
    )


def test_a_job_that_has_ended_cannot_be_cancelled(cli: Cli, store):
    finished(store, "done")
    refuses(cli("cancel", "done"), 7, "fusionq: done has ended already: succeeded")


# --- use -------------------------------------------------------------------------------------------


def test_a_verb_that_does_not_exist(cli: Cli):
    done = cli("sumbit", "x.yaml")
    assert (done.code, done.out) == (2, "")
    assert done.err == "fusionq: no such command 'sumbit'; did you mean 'submit'?\n"


def test_an_option_that_does_not_exist(cli: Cli):
    done = cli("status", "--al")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("fusionq: no such option '--al'")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [("x", "'x' is not a whole number"), ("0", "0 is less than 1")],
)
def test_a_number_that_is_none(cli: Cli, given: str, told: str):
    refuses(
        cli("status", "-n", given), 2, f"fusionq: invalid value for '-n': {told}; see: fusionq status --help"
    )


def test_nothing_at_all_is_answered_by_the_help(cli: Cli):
    done = cli()
    assert (done.code, done.out) == (2, "")
    assert "Usage: fusionq" in done.err


def test_an_argument_that_is_missing(cli: Cli):
    done = cli("why")
    assert (done.code, done.out) == (2, "")
    assert done.err == "fusionq: missing argument 'JOB'; see: fusionq why --help\n"


def test_the_spec_of_no_job(cli: Cli):
    done = cli("status", "--spec")
    assert done.code == 2
    assert done.err == "fusionq: --spec needs a job; name one: fusionq status last --spec\n"


# --- Redis -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["status"], ["logs", "x"], ["workers"], ["cancel", "x"]])
def test_a_redis_that_does_not_answer(cli: Cli, tmp_path: Path, arguments: list[str]):
    url = f"unix://{tmp_path}/nobody.sock"
    done = cli(*arguments, "--redis-url", url)
    assert (done.code, done.out) == (6, "")
    assert done.err.startswith(f"fusionq: no connection to Redis at {url} (")
    assert done.err.endswith("start that server, or name another with --redis-url or FUSIONQ_REDIS_URL\n")
    assert done.err.count("\n") == 1


def test_a_job_is_checked_before_redis_is_asked(cli: Cli, tmp_path: Path, job_file: Path):
    url = f"unix://{tmp_path}/nobody.sock"
    assert cli("submit", job_file, "--redis-url", url).code == 6
    assert cli("submit", job_file, "train.epochs=0", "--redis-url", url).code == 2


def test_a_url_that_is_none(cli: Cli):
    refuses(
        cli("status", "--redis-url", "http://host"),
        2,
        "fusionq: 'http://host' is not a Redis URL; write redis://host:6379/0, rediss://… or unix:///path",
    )


def test_a_password_is_never_shown(cli: Cli, tmp_path: Path):
    done = cli("status", "--redis-url", f"unix://:secret@{tmp_path}/nobody.sock")
    assert done.code == 6
    assert "secret" not in done.err


# --- the edge --------------------------------------------------------------------------------------


def test_debug_shows_where_it_happened(home: Path):
    command = [sys.executable, "-m", "fusionq", "status", "--redis-url", f"unix://{home}/nobody.sock"]
    quiet = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert quiet.returncode == 6
    assert "Traceback" not in quiet.stderr
    loud = subprocess.run([*command, "--debug"], capture_output=True, text=True, env=os.environ)
    assert loud.returncode != 0
    assert "Traceback (most recent call last)" in loud.stderr


def test_debug_lets_the_error_through(cli: Cli):
    with pytest.raises(NotFoundError):
        run(["status", "zzz", "--debug"])


def test_an_error_that_nobody_thought_of_is_one_line_too(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    def stumble(*_: object, **__: object) -> None:
        raise ZeroDivisionError("first\nsecond")

    monkeypatch.setattr(app.group, "main", stumble)
    refuses(cli("status"), 70, "fusionq: unexpected ZeroDivisionError: first second; --debug shows where")


@pytest.mark.parametrize(("arguments", "begins"), [("logs long", "x" * 10), ("status --json", '{"version"')])
def test_a_reader_that_leaves_early_is_no_error(
    home: Path, store, monkeypatch: pytest.MonkeyPatch, arguments: str, begins: str
):
    monkeypatch.setenv("FUSIONQ_REDIS_URL", store.url)
    finished(store, "long", text="x" * 1_000_000)
    for number in range(200):  # more than a pipe holds
        queued(store, f"job{number}")
    command = f"{sys.executable} -m fusionq {arguments} | head -c 10; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=os.environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, begins, "")
