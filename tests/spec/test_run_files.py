"""Which files of a run folder a word means."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusionq.spec.paths import RunPaths
from fusionq.spec.run_files import files_of

FILES = (
    "job.yaml",
    "output.log",
    "ranks/rank-1.log",
    "metrics.jsonl",
    "plots/loss.png",
    "best_models/model_3.pth",
    "all_models/model_1.pth",
    "checkpoints/attempt-0001-epoch-000001-batch-00000000.pt",
)


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("/etc/hostname")
    return RunPaths(tmp_path)


@pytest.mark.parametrize(
    ("parts", "beginnings"),
    [
        ((), ("all_models", "best_models", "job.yaml", "metrics", "output", "plots", "ranks")),
        (("best",), ("best_models",)),
        (("logs", "metrics"), ("metrics", "output", "plots", "ranks")),
        (("checkpoints",), ("checkpoints",)),
    ],
)
def test_a_word_means_these_files_and_links_are_left_out(run: RunPaths, parts, beginnings):
    names = [str(file.relative_to(run.root)) for file in files_of(run, parts)]
    assert names == sorted(name for name in FILES if name.startswith(beginnings))


def test_of_a_folder_that_is_not_there_nothing_is_meant(tmp_path: Path):
    assert files_of(RunPaths(tmp_path / "none"), ()) == []
    assert files_of(RunPaths(tmp_path / "none"), ("best",)) == []
