"""A checkpoint is whole or it is not used; an attempt never harms what a newer one wrote."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import IO, Any

import pytest
import torch

from fusionq.engine.checkpoint import Checkpoints
from fusionq.errors import CheckpointError
from fusionq.spec.paths import RunPaths
from tests.engine.jobs import assert_same_run, job_spec, last_state, run, same


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path / "run")


def state(number: int) -> dict[str, Any]:
    return {"number": number, "weights": torch.full((50,), float(number))}


def names(paths: RunPaths) -> list[str]:
    return sorted(path.name for path in paths.checkpoints.iterdir())


def test_there_is_no_checkpoint_in_a_new_folder(paths: RunPaths) -> None:
    assert Checkpoints(paths).load_latest() is None


def test_the_newest_by_attempt_epoch_and_batch_is_loaded(paths: RunPaths) -> None:
    for attempt, epoch, batch in ((1, 9, 0), (2, 1, 100), (2, 2, 3), (2, 10, 1), (2, 10, 20)):
        saved = Checkpoints(paths, attempt=attempt, keep=9).save(state(batch), epoch, batch)
        loaded = Checkpoints(paths, attempt=2).load_latest()
        assert same(loaded, {"format": 1, **state(batch)}), saved.name


def test_only_the_newest_are_kept(paths: RunPaths) -> None:
    for batch in range(5):
        Checkpoints(paths, keep=3).save(state(batch), 0, batch)
    assert [name[-5:] for name in names(paths)] == ["02.pt", "03.pt", "04.pt"]


def test_a_fresh_start_reads_no_older_attempt_and_drops_what_it_left(paths: RunPaths) -> None:
    for epoch in (8, 9):
        Checkpoints(paths, attempt=1).save(state(epoch), epoch, 0)
    fresh = Checkpoints(paths, attempt=2, fresh_after=1)
    assert fresh.load_latest() is None
    fresh.save(state(1), 1, 0)
    assert fresh.load_latest()["number"] == 1
    assert Checkpoints(paths, attempt=3, fresh_after=1).load_latest()["number"] == 1
    fresh.save(state(2), 2, 0)
    assert all(name.startswith("attempt-0002") for name in names(paths))


def test_a_job_that_begins_anew_runs_as_if_it_had_never_run(tmp_path: Path) -> None:
    spec = job_spec("train.epochs=2")
    run(spec, tmp_path / "once")
    run(job_spec("train.epochs=3"), tmp_path / "again")
    run(spec, tmp_path / "again", attempt=2, fresh_after=1)
    assert_same_run(tmp_path / "once", tmp_path / "again")


def test_an_old_attempt_neither_harms_nor_reads_what_a_newer_one_wrote(paths: RunPaths) -> None:
    Checkpoints(paths, attempt=2).save(state(20), 1, 0)
    Checkpoints(paths, attempt=2).save(state(21), 1, 1)
    old = Checkpoints(paths, attempt=1)
    for epoch in (1, 5, 6):
        old.save(state(epoch), epoch, 0)
    assert Checkpoints(paths, attempt=3).load_latest()["number"] == 21
    assert old.load_latest()["number"] == 6
    assert [name for name in names(paths) if name.startswith("attempt-0002")] == [
        "attempt-0002-epoch-000001-batch-00000000.pt",
        "attempt-0002-epoch-000001-batch-00000001.pt",
    ]


def test_a_checkpoint_that_is_cut_off_anywhere_is_never_used(paths: RunPaths) -> None:
    Checkpoints(paths).save(state(1), 1, 0)
    content = Checkpoints(paths).save(state(2), 2, 0).read_bytes()
    path = paths.checkpoint(1, 2, 0)
    for size in {*range(0, len(content), 7), *range(len(content) - 40, len(content))}:
        path.write_bytes(content[:size])
        assert Checkpoints(paths).load_latest()["number"] == 1, f"cut off at {size} of {len(content)}"
    path.write_bytes(content)
    assert Checkpoints(paths).load_latest()["number"] == 2


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", b"\0" * 5000])
def test_other_content_under_its_name_is_not_used(damage: bytes, paths: RunPaths) -> None:
    Checkpoints(paths).save(state(1), 1, 0)
    paths.checkpoint(1, 2, 0).write_bytes(damage)
    assert Checkpoints(paths).load_latest()["number"] == 1


def test_a_damaged_byte_within_the_weights_is_noticed(paths: RunPaths) -> None:
    Checkpoints(paths).save(state(1), 1, 0)
    path = Checkpoints(paths).save(state(2), 2, 0)
    content = bytearray(path.read_bytes())
    content[content.index(torch.tensor(2.0).numpy().tobytes() * 40) + 80] ^= 1
    path.write_bytes(content)
    assert Checkpoints(paths).load_latest()["number"] == 1


def test_a_checkpoint_of_another_format_is_not_used(paths: RunPaths) -> None:
    Checkpoints(paths).save(state(1), 1, 0)
    torch.save({"format": 99, **state(2)}, paths.checkpoint(1, 2, 0))
    assert Checkpoints(paths).load_latest()["number"] == 1


class Dangerous:
    def __reduce__(self) -> Any:
        return os.mkdir, ("it-ran",)


def test_no_code_in_a_checkpoint_is_ever_run(
    paths: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Checkpoints(paths).save({"weights": Dangerous()}, 1, 0)
    with pytest.raises(CheckpointError, match="none of the 1 checkpoints"):
        Checkpoints(paths).load_latest()
    assert not (tmp_path / "it-ran").exists()


def test_when_all_are_damaged_training_does_not_begin_anew(paths: RunPaths) -> None:
    for batch in (1, 2):
        Checkpoints(paths).save(state(batch), 0, batch).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"none of the 2 checkpoints in .*checkpoints can be read"):
        Checkpoints(paths).load_latest()


class FullDisk:
    """A file that takes only so many bytes."""

    def __init__(self, handle: IO[bytes], room: int) -> None:
        self._handle, self._room = handle, room

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    def write(self, data: bytes) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._handle.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)


@pytest.mark.parametrize("room", [0, 100, 1500])
def test_a_full_disk_leaves_the_checkpoint_before_and_says_so(
    room: int, paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    Checkpoints(paths).save(state(1), 1, 0)
    whole_open = Path.open
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, *mode: FullDisk(whole_open(self, *mode), room))
        with pytest.raises(
            CheckpointError, match=r"cannot write attempt.*No space left.*the checkpoint before is kept"
        ):
            Checkpoints(paths).save(state(2), 2, 0)
    assert names(paths) == ["attempt-0001-epoch-000001-batch-00000000.pt"], "no half file is left behind"
    assert Checkpoints(paths).load_latest()["number"] == 1


def test_a_disk_that_cannot_flush_leaves_the_checkpoint_before(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    Checkpoints(paths).save(state(1), 1, 0)

    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(CheckpointError, match="Input/output error; the checkpoint before is kept"):
            Checkpoints(paths).save(state(2), 2, 0)
    assert Checkpoints(paths).load_latest()["number"] == 1


def test_a_checkpoint_is_on_the_disk_before_it_gets_its_name(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    flush, rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("flush"), flush(descriptor)))
    monkeypatch.setattr(
        Path, "replace", lambda self, target: (order.append("rename"), rename(self, target))[1]
    )
    Checkpoints(paths).save(state(1), 1, 0)
    assert order == ["flush", "rename", "flush"]


def test_a_job_whose_last_checkpoint_is_damaged_goes_on_from_the_one_before(tmp_path: Path) -> None:
    run(job_spec("train.epochs=3"), tmp_path / "whole")
    run(job_spec("train.epochs=3"), tmp_path / "damaged")
    newest = max((tmp_path / "damaged" / "checkpoints").glob("*.pt"))
    newest.write_bytes(newest.read_bytes()[:-100])
    run(job_spec("train.epochs=3"), tmp_path / "damaged", attempt=2)
    assert last_state(tmp_path / "damaged")["epoch"] == 3
    assert_same_run(tmp_path / "whole", tmp_path / "damaged")


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    run(job_spec("train.epochs=1"), tmp_path)
    other = job_spec("train.epochs=2", "model._args_.4={_target_: Linear, in_features: 16, out_features: 11}")
    with pytest.raises(CheckpointError, match=r"the checkpoint belongs to another job: .*size mismatch"):
        run(other, tmp_path, attempt=2)
