"""What Tab offers, as the shells ask for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fusionq.cli.completion import VARIABLE
from fusionq.store.embedded import EmbeddedRedis
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, queued, serving, started

BIN = Path(sys.executable).parent


@pytest.fixture
def offered(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    """The words that fish is offered behind a command line, each with its help."""

    def ask(*words: str) -> dict[str, str]:
        monkeypatch.setenv(VARIABLE, "fish_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["fusionq", *words[:-1]]))
        monkeypatch.setenv("COMP_CWORD", words[-1])
        lines = [line.removeprefix("plain,") for line in cli().out.splitlines()]
        monkeypatch.delenv(VARIABLE)
        return dict(line.partition("\t")[::2] for line in lines)

    return ask


def test_ids_of_jobs_are_offered_with_what_they_are(offered, store):
    queued(store, "aaa", name="first")
    finished(store, "abb", name="second")
    assert list(offered("status", "")) == ["last", "abb", "aaa"]
    assert offered("status", "ab") == {"abb": "second, succeeded"}
    assert offered("logs", "sec") == {"second": "the last of this name, abb"}


def test_a_verb_is_offered_only_jobs_that_it_is_for(offered, store):
    queued(store, "aaa")
    finished(store, "abb")
    assert list(offered("cancel", "a")) == ["aaa"]
    assert list(offered("retry", "a")) == ["abb"]
    assert list(offered("retry", "abb", "a")) == ["abb"], "as one more"
    started(store, "acc")
    assert list(offered("attach", "a")) == list(offered("exec", "-it", "a")) == ["acc"]


def test_workers_queues_states_and_keys_of_the_job_file_are_offered(offered, store):
    serving(store, "box")
    queued(store, "aaa", queue="night")
    assert list(offered("worker", "stop", "")) == ["box"]
    assert "night" in offered("queue", "pause", "")
    assert list(offered("status", "--state", "fa")) == ["failed"]
    assert "train.epochs=" in offered("submit", "job.yaml", "train.e")


def test_values_of_options_are_those_of_the_jobs_there_are(offered, store, job_file: Path):
    queued(store, "aaa", name="first", tags='["demo"]', user="ada")
    assert list(offered("status", "--tag", "")) == ["demo"]
    assert list(offered("status", "--user", "")) == ["ada"]
    assert list(offered("cancel", "--name", "f")) == ["first"]
    assert "oom" in offered("status", "--failure", "o")


def test_arguments_in_a_job_file_are_offered(offered, job_file: Path):
    assert list(offered("submit", str(job_file), "optimizer.l")) == ["optimizer.lr="]


def test_it_starts_no_redis_and_says_nothing_where_there_is_none(home: Path, monkeypatch: pytest.MonkeyPatch):
    environ = {VARIABLE: "bash_complete", "COMP_WORDS": "fusionq cancel ", "COMP_CWORD": "2"}
    for key, value in environ.items():
        monkeypatch.setenv(key, value)
    command = [sys.executable, "-m", "fusionq"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
    monkeypatch.setenv("FUSIONQ_REDIS_URL", "redis://127.0.0.1:1/0")
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")
    assert not EmbeddedRedis(home).is_running()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_takes(cli: Cli, shell: str):
    script = cli("completion", shell).out
    assert "fusionq" in script
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_itself_completes_an_id(cli: Cli, store):
    queued(store, "aaa")
    script = f"""
PATH={BIN}:$PATH
eval "$(fusionq completion bash)"
COMP_WORDS=(fusionq why a) COMP_CWORD=2
_fusionq_completion fusionq
echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["aaa"], done.stderr
