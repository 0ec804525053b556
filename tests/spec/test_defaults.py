"""Job files that extend others."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusionq.errors import SpecError
from fusionq.spec.load import load_file, load_job
from tests.support import ONE_JOB


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(ONE_JOB)
    return tmp_path


def job_from(folder: Path, text: str, *overrides: str):
    (folder / "job.yaml").write_text(text)
    return load_job("job.yaml", overrides)


def mistakes_of(folder: Path, text: str) -> list[str]:
    (folder / "job.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load_file("job.yaml", workdir=Path())
    return [str(problem) for problem in caught.value.problems]


def test_blocks_are_merged_key_by_key_and_lists_are_replaced(folder: Path):
    (folder / "base.yaml").write_text(ONE_JOB + "train: {epochs: 3, seed: 7}\ntags: [a, b]\n")
    spec = job_from(folder, "defaults: base.yaml\ntrain: {epochs: 5}\ntags: [c]\n")
    assert (spec.train.epochs, spec.train.seed, spec.tags, spec.name) == (5, 7, ["c"], "tiny")


def test_another_target_brings_none_of_the_arguments_along(folder: Path):
    assert job_from(folder, "defaults: base.yaml\noptimizer: {_target_: Adam}\n").optimizer == {
        "_target_": "torch.optim.Adam"
    }


@pytest.mark.parametrize("name", ["SGD", "torch.optim.SGD"])
def test_the_same_target_keeps_the_other_arguments(folder: Path, name):
    spec = job_from(folder, f"defaults: base.yaml\noptimizer: {{_target_: {name}, momentum: 0.9}}\n")
    assert spec.optimizer == {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9}


def test_a_null_takes_a_value_away(folder: Path):
    (folder / "base.yaml").write_text(ONE_JOB + "timeout: 1h\n")
    assert job_from(folder, "defaults: base.yaml\ntimeout: null\n").timeout is None


def test_later_files_go_over_earlier_ones_and_files_may_extend_files(folder: Path):
    (folder / "deep").mkdir()
    (folder / "deep" / "a.yaml").write_text("defaults: ../base.yaml\npriority: 1\ntrain: {epochs: 1}\n")
    (folder / "b.yaml").write_text("priority: 2\n")
    spec = job_from(folder, "defaults: [deep/a.yaml, b.yaml]\n", "train.seed=3")
    assert (spec.priority, spec.train.epochs, spec.train.seed) == (2, 1, 3)


def test_a_mistake_is_told_in_the_file_where_it_stands(folder: Path):
    (folder / "base.yaml").write_text(ONE_JOB + "trian: 1\n")
    assert [
        mistake.split(";")[0] for mistake in mistakes_of(folder, "defaults: base.yaml\ntimeout: x\n")
    ] == [
        "job.yaml:2:1: timeout: 'x' is not a duration",
        "base.yaml:7:1: unknown key 'trian'",
    ]


def test_files_that_extend_each_other_are_refused(folder: Path):
    (folder / "base.yaml").write_text("defaults: job.yaml\n")
    assert mistakes_of(folder, "defaults: base.yaml\n") == [
        "base.yaml:1:1: these files extend each other: job.yaml → base.yaml → job.yaml"
    ]


@pytest.mark.parametrize(
    ("value", "mistake"),
    [
        ("none.yaml", "there is no file none.yaml"),
        ("[base.yaml, none.yaml]", "there is no file none.yaml"),
        ("5", "names job files to extend, such as base.yaml"),
        ("[5]", "names job files to extend, such as base.yaml"),
        ("two.yaml", "two.yaml holds several jobs; one can be extended"),
        ("list.yaml", "list.yaml is no block of keys"),
    ],
)
def test_what_cannot_be_extended_is_told_at_the_name(folder: Path, value, mistake):
    (folder / "two.yaml").write_text("a: 1\n---\nb: 1\n")
    (folder / "list.yaml").write_text("[1]")
    (found,) = mistakes_of(folder, f"priority: 1\ndefaults: {value}\n")
    place, _, message = found.partition(": ")
    assert place.startswith("job.yaml:2:")
    assert message == mistake


def test_each_document_of_a_file_is_a_job_with_its_own_defaults(folder: Path):
    (folder / "job.yaml").write_text(
        "defaults: base.yaml\nname: a\n---\ndefaults: base.yaml\npriority: 3\nname: b\n"
    )
    assert [(loaded.spec.name, loaded.spec.priority) for loaded in load_file("job.yaml", workdir=Path())] == [
        ("a", 0),
        ("b", 3),
    ]
    both = load_file("job.yaml", ["priority=5"], workdir=Path())
    assert [loaded.spec.priority for loaded in both] == [5, 5]


def test_documents_without_a_name_are_numbered(folder: Path):
    nameless = ONE_JOB.replace("name: tiny\n", "")
    (folder / "job.yaml").write_text(f"---\n{nameless}---\n{nameless}---\n")
    assert [loaded.spec.name for loaded in load_file("job.yaml", workdir=Path())] == ["job-1", "job-2"]


def test_the_mistakes_of_all_documents_are_told_at_once(folder: Path):
    text = f"{ONE_JOB}trian: 1\n---\n{ONE_JOB}tarin: 1\n"
    assert [mistake.split(" ")[0] for mistake in mistakes_of(folder, text)] == [
        "job.yaml:7:1:",
        "job.yaml:15:1:",
    ]
