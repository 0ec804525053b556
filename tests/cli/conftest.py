"""The command line as typed, within this process, on the real Redis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from fusionq.cli.app import run
from fusionq.spec.settings import ENV_REDIS_URL
from fusionq.store.store import Store
from tests.support import ONE_JOB


@dataclass(frozen=True)
class Done:
    """How a call ended."""

    code: int
    out: str
    err: str


Cli = Callable[..., Done]


@pytest.fixture
def cli(home: Path, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Calls `fusionq` with arguments; it talks to the Redis of `store`."""
    monkeypatch.setenv(ENV_REDIS_URL, store.url)

    def call(*arguments: str) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Done(leaving.value.code, said.out, said.err)

    return call


@pytest.fixture
def job_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job file in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("tiny.yaml")
    path.write_text(ONE_JOB)
    return path
