"""`fusionq validate`: looks and queues nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.test_json import read
from tests.support import ONE_JOB

DIGITS = Path(__file__).parents[2] / "jobs" / "digits.yaml"


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
    (found,) = read(cli("validate", "--json", job_file).out, "validate")["files"]
    assert found["file"] == "tiny.yaml"
    assert found["problems"] == [
        {"where": "tiny.yaml:7:1", "message": "unknown key 'trian'; did you mean 'train'?"}
    ]


def test_without_a_file_there_is_nothing_to_look_at(cli: Cli):
    done = cli("validate", "a=1")
    assert (done.code, done.err) == (2, "fusionq: no job file is named; fusionq validate jobs/*.yaml\n")


# --- the deep check ----------------------------------------------------------------------------------


def test_the_deep_check_says_how_large_a_job_is(cli: Cli, job_file: Path):
    done = cli("validate", "--deep", DIGITS)
    assert (done.code, done.err) == (0, "")
    first, more = done.out.splitlines()
    assert first.endswith("is a job without a mistake")
    assert more == (
        "  4,810 parameters (19.2 KB), a checkpoint of 77.7 KB, about 93.6 KB of memory at a batch size of 32"
    )


def test_shapes_that_do_not_fit_are_told_where_they_stand(cli: Cli, tmp_path: Path):
    file = tmp_path / "wrong.yaml"
    text = DIGITS.read_text()
    assert "in_features: 64" in text
    file.write_text(text.replace("in_features: 64", "in_features: 65"))
    done = cli("validate", "--deep", file)
    assert (done.code, done.out) == (2, "")
    line = next(i for i, line in enumerate(file.read_text().splitlines(), 1) if "in_features: 65" in line)
    assert done.err.startswith(f"{file}:{line}:")
    assert "takes 65 features" in done.err
    assert "^" in done.err
    (found,) = read(cli("validate", "--deep", "--json", file).out, "validate")["files"]
    assert found["jobs"] == []
    assert len(found["problems"]) == 1


def test_a_trial_that_cannot_work_is_told_by_what_it_has_of_its_own(cli: Cli):
    done = cli("validate", "--deep", DIGITS, "model._args_.1.out_features=64,63")
    assert done.code == 2
    assert "takes 64 features, but gets a 32 x 63 batch" in done.err
    assert "(trial 2: model._args_.1.out_features=63)" in done.err


def test_what_could_not_be_checked_is_said(cli: Cli):
    done = cli("validate", "--deep", DIGITS.with_name("digits-evaluate.yaml"))
    assert done.code == 0
    assert "not checked: model: it is another job's" in done.err


def test_the_deep_check_without_torch_says_so(cli: Cli, job_file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fusionq.queue.deep_check.is_possible", lambda: False)
    done = cli("validate", "--deep", job_file)
    assert done.code == 2
    assert "needs torch, which is not installed here; pip install" in done.err
