"""`fusionq validate`: looks and queues nothing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Cli
from tests.support import ONE_JOB


def test_a_file_without_a_mistake_is_told_so(cli: Cli, job_file: Path, store):
    done = cli("validate", job_file)
    assert (done.code, done.out, done.err) == (0, "tiny.yaml: tiny is a job without a mistake\n", "")
    assert store.jobs.count() == 0


def test_the_mistakes_of_all_files_are_told(cli: Cli, job_file: Path):
    Path("a.yaml").write_text(ONE_JOB + "trian: 1\n")
    Path("b.yaml").write_text(ONE_JOB + "tiemout: 1h\n")
    done = cli("validate", "a.yaml", job_file, "b.yaml", "none.yaml")
    assert done.code == 3
    assert done.out == "tiny.yaml: tiny is a job without a mistake\n"
    assert "a.yaml:7:1: unknown key 'trian'" in done.err
    assert "b.yaml:7:1: unknown key 'tiemout'" in done.err
    assert "none.yaml: no such file" in done.err


def test_overrides_are_checked_with_every_file(cli: Cli, job_file: Path):
    assert cli("validate", job_file, "train.epochs=5").code == 0
    done = cli("validate", "train.epochs=0", job_file)
    assert done.code == 2
    assert done.err.startswith("override 'train.epochs=0': ")


def test_a_sweep_is_checked_trial_by_trial(cli: Cli, job_file: Path):
    assert cli("validate", job_file, "optimizer.lr=1e-2,1e-3").out == (
        "tiny.yaml: tiny is a sweep of 2 trials without a mistake\n"
    )
    assert cli("validate", job_file, "train.epochs=1,0").code == 2


def test_json_holds_every_place(cli: Cli, job_file: Path):
    job_file.write_text(ONE_JOB + "trian: 1\n")
    (found,) = json.loads(cli("validate", "--json", job_file).out)
    assert found["file"] == "tiny.yaml"
    assert found["problems"] == [
        {"where": "tiny.yaml:7:1", "message": "unknown key 'trian'; did you mean 'train'?"}
    ]


def test_without_a_file_there_is_nothing_to_look_at(cli: Cli):
    done = cli("validate", "a=1")
    assert (done.code, done.err) == (2, "fusionq: no job file is named; fusionq validate jobs/*.yaml\n")
