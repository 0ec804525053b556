"""What runs is what was submitted, whatever becomes of the files."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from fusionq.spec.states import Outcome
from tests.acceptance.installation import Installation

pytestmark = pytest.mark.acceptance

TRAINER = """
import os
import pathlib
import fusionq as tf
from helpers import words

class Own(tf.StandardModel):
    def __train_func__(self, *arguments):
        if not getattr(self, "has_spoken", False):
            print(words.WORDS, pathlib.Path("notes.txt").read_text())
            self.has_spoken = True
        super().__train_func__(*arguments)
"""


def write_code(installation: Installation) -> None:
    (installation.workdir / "own.py").write_text(TRAINER)
    helpers = installation.workdir / "helpers"
    helpers.mkdir()
    (helpers / "words.py").write_text("WORDS = 'as submitted'\n")
    (installation.workdir / "notes.txt").write_text("data as it is now")


def spoil_code(installation: Installation) -> None:
    (installation.workdir / "own.py").write_text("raise RuntimeError('edited since')\n")
    shutil.rmtree(installation.workdir / "helpers")
    (installation.workdir / "helpers.py").write_text("raise RuntimeError('new since')\n")


def test_code_that_is_edited_while_its_job_waits_changes_nothing(installation: Installation) -> None:
    """The worker is started in the same folder, which Python then has on its path."""
    write_code(installation)
    subprocess.run(["git", "init", "-q", "-b", "trunk"], cwd=installation.workdir, check=True)
    first, second = (installation.submit("trainer=own.Own", "train.epochs=1") for _ in range(2))
    spoil_code(installation)
    spoilt = installation.submit("trainer=own.Own", "train.epochs=1")
    live = installation.submit("trainer=own.Own", "train.epochs=1", "code=none")
    installation.start_worker("late")

    for job_id in (first, second):
        record = installation.await_end(job_id)
        assert record.outcome is Outcome.SUCCEEDED, record.reason
        log = (installation.home / "runs" / job_id / "output.log").read_text()
        assert "as submitted data as it is now" in log
    environment = json.loads((installation.home / "runs" / first / "environment.json").read_text())
    assert environment["code"] == installation.store.jobs.get(first).code
    assert environment["git"] == {"commit": "", "branch": "trunk", "dirty": True, "diff": ""}
    assert {"torch", "redis"} <= set(environment["packages"])
    assert "RuntimeError: edited since" in installation.await_end(spoilt).reason
    assert "RuntimeError: edited since" in installation.await_end(live).reason
    kept = {path.name for path in (installation.home / "cache" / "code").iterdir()}
    assert kept == {installation.store.jobs.get(job_id).code for job_id in (first, spoilt)}
