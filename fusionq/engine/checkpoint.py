"""Checkpoints: the full state of a run, written whole, and read back with a fall back to the one before."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from fusionq.engine.files import write_tensors
from fusionq.errors import CheckpointError
from fusionq.spec.paths import RunPaths

FORMAT = 1
_NAME = re.compile(r"attempt-(\d+)-epoch-(\d+)-batch-(\d+)\.pt\Z")


class Checkpoints:
    """The checkpoints in a run folder.

    Files carry the number of the attempt that wrote them, so an older attempt that still breathes can
    neither overwrite nor remove what a newer one wrote.
    """

    def __init__(self, paths: RunPaths, *, attempt: int = 1, fresh_after: int = 0, keep: int = 2) -> None:
        self._paths = paths
        self._attempt = attempt
        self._fresh_after = fresh_after
        self._keep = keep

    def save(self, state: dict[str, Any], epoch: int, batch: int) -> Path:
        """Write the state of position (epoch, batch), then drop the oldest. Raises CheckpointError."""
        path = self._paths.checkpoint(self._attempt, epoch, batch)
        try:
            write_tensors(path, {"format": FORMAT, **state})
        except (OSError, RuntimeError) as error:
            raise CheckpointError(
                f"cannot write {path.name}: {error}; the checkpoint before is kept; "
                f"make room in {path.parent} and submit the job again"
            ) from error
        self._drop_oldest()
        return path

    def load_latest(self) -> dict[str, Any] | None:
        """The newest checkpoint that is whole, or None where there is none at all.

        Those up to the attempt `fresh_after` do not count. Raises CheckpointError where there are some and
        none can be read: starting anew would hide a loss.
        """
        for part in self._paths.checkpoints.glob(".*.part"):
            part.unlink(missing_ok=True)  # what an attempt was writing when it was killed
        paths = self._newest_first(self._fresh_after)
        for path in paths:
            try:
                state = _read(path)
            except Exception:
                continue  # damaged; the one before was written whole
            if isinstance(state, dict) and state.get("format") == FORMAT:
                return state
        if paths:
            raise CheckpointError(
                f"none of the {len(paths)} checkpoints in {self._paths.checkpoints} can be read"
            )
        return None

    @property
    def is_empty(self) -> bool:
        """Whether no attempt has come as far as to write one."""
        return not self._newest_first()

    def _newest_first(self, after: int = 0) -> list[Path]:
        found = [(_NAME.search(path.name), path) for path in self._paths.checkpoints.glob("*.pt")]
        ranked = [(tuple(map(int, match.groups())), path) for match, path in found if match]
        return [path for rank, path in sorted(ranked, reverse=True) if after < rank[0] <= self._attempt]

    def _drop_oldest(self) -> None:
        for path in self._newest_first()[self._keep :]:
            path.unlink(missing_ok=True)


def _read(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()  # torch writes check sums and does not look at them
    if damaged:
        raise OSError(f"{path}: {damaged} is damaged")
    return torch.load(path, map_location="cpu", weights_only=True)
