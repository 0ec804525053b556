"""Where data comes from: the disk, else a download, else the offline data set. Never silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch.utils.data import TensorDataset

import fusionq as tf
from fusionq.engine.data.sources import open_datasets
from fusionq.errors import DataError, TargetError
from fusionq.spec.job import DataSection
from fusionq.spec.targets import TARGET

HERE = __name__
WANTED: list[tuple[str, bool]] = []
"""What was asked of Files: the root, and whether to download."""


class Files(TensorDataset):
    """Like torchvision's: its files lie under `root`, or are downloaded to it, or are not there."""

    def __init__(self, root: str, download: bool = False, train: bool = True, size: int = 3) -> None:
        import torch

        WANTED.append((root, download))
        file = Path(root) / "file"
        if download:
            self.fetch(file)
        if not file.exists():
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        if size < 0:
            raise ValueError("size is negative")
        super().__init__(torch.arange(size))

    def fetch(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


class NoNetwork(Files):
    def fetch(self, file: Path) -> None:
        raise OSError("<urlopen error [Errno 111] Connection refused>\nmore")


@pytest.fixture(autouse=True)
def nothing_wanted() -> None:
    WANTED.clear()


def section(root: Path, *, name: str = "Files", download: bool = True, **more: Any) -> DataSection:
    block = {TARGET: f"{HERE}.{name}", "root": str(root), "download": download}
    return DataSection(**{"train": block, "test": {**block, "train": False}, **more})


def test_data_on_the_disk_is_not_downloaded(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    opened = open_datasets(section(tmp_path), None, pytest.fail)
    assert len(opened.train) == len(opened.test) == 3
    assert opened.val is None
    assert opened.note == ""
    assert [(str(tmp_path), False)] * 2 == WANTED


def test_the_workers_folder_is_looked_in_too(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file").touch()
    assert len(open_datasets(section(tmp_path / "elsewhere"), tmp_path / "root", pytest.fail).train) == 3
    assert not (tmp_path / "elsewhere").exists()


def test_a_download_goes_to_the_workers_folder_where_it_has_one(tmp_path: Path) -> None:
    open_datasets(section(tmp_path / "own"), tmp_path / "workers", pytest.fail)
    assert (tmp_path / "workers" / "file").exists()
    assert not (tmp_path / "own").exists()
    open_datasets(section(tmp_path / "own"), None, pytest.fail)
    assert (tmp_path / "own" / "file").exists()


def test_without_files_and_network_the_offline_data_set_is_used_and_said(tmp_path: Path) -> None:
    said: list[str] = []
    opened = open_datasets(section(tmp_path, name="NoNetwork", offline="digits"), None, said.append)
    assert isinstance(opened.train, tf.Digits)
    assert (len(opened.train), len(opened.test)) == (1437, 360)
    assert opened.val is None
    assert said == [opened.note]
    assert "TRAINING ON scikit-learn's digits INSTEAD" in opened.note
    assert f"NoNetwork is not in {tmp_path} and cannot be downloaded" in opened.note
    assert "Connection refused" in opened.note
    assert "\n" not in opened.note


def test_no_part_is_replaced_alone(tmp_path: Path) -> None:
    """A model that trains on one data set and is tested on another would say nothing."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").touch()
    blocks = {
        "train": {TARGET: f"{HERE}.NoNetwork", "root": str(tmp_path / "there"), "download": True},
        "test": {TARGET: f"{HERE}.NoNetwork", "root": str(tmp_path / "missing"), "download": True},
    }
    opened = open_datasets(DataSection(offline="digits", **blocks), None, lambda text: None)
    assert isinstance(opened.train, tf.Digits)
    assert isinstance(opened.test, tf.Digits)


@pytest.mark.parametrize(("name", "download"), [("NoNetwork", True), ("Files", False)])
def test_without_an_offline_data_set_the_error_names_folder_and_setting(
    name: str, download: bool, tmp_path: Path
) -> None:
    wanted = section(tmp_path / "own", name=name, download=download)
    with pytest.raises(DataError) as caught:
        open_datasets(wanted, tmp_path / "workers", pytest.fail)
    text = str(caught.value)
    assert text.startswith(f"data.train: {name} is not in {tmp_path / 'own'} nor {tmp_path / 'workers'}")
    assert "name the folder that holds them in FUSIONQ_DATA" in text
    assert text.endswith("or give `data.offline: digits`")


def test_download_false_downloads_nothing(tmp_path: Path) -> None:
    opened = open_datasets(section(tmp_path, download=False, offline="digits"), None, lambda text: None)
    assert isinstance(opened.train, tf.Digits)
    assert [(str(tmp_path), False)] == WANTED
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_data_set_itself_is_no_missing_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    block = {TARGET: f"{HERE}.Files", "root": str(tmp_path), "download": True, "size": -1}
    with pytest.raises(TargetError, match=r"data.train: Files: ValueError: size is negative"):
        open_datasets(DataSection(train=block, offline="digits"), None, pytest.fail)


def test_a_data_set_without_root_and_download_is_just_built() -> None:
    opened = open_datasets(DataSection(train={TARGET: "fusionq.Digits", "size": 8}), None, pytest.fail)
    assert opened.train.data.shape == (1437, 8, 8)


def test_a_data_set_whose_files_are_not_there_is_an_error_of_the_data(tmp_path: Path) -> None:
    block = {TARGET: "torchvision.datasets.ImageFolder", "root": str(tmp_path / "none")}
    with pytest.raises(DataError, match=r"ImageFolder: FileNotFoundError: .*none"):
        open_datasets(DataSection(train=block), None, pytest.fail)
