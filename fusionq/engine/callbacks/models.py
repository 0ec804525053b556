"""Model files: plain state dicts of every epoch or of the best one."""

from __future__ import annotations

from pathlib import Path

import torch

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.files import write_whole
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd
from fusionq.spec.paths import RunPaths


class ModelFiles(Callback):
    """`all_models/model_<epoch>.pth` of every epoch (with "all"), and the best ones in `best_models/`."""

    def __init__(self, paths: RunPaths, save_models: str, *, keep_best: int = 1) -> None:
        self._paths = paths
        self._all = save_models == "all"
        self._keep_best = keep_best

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        state = training.model_to_keep().state_dict()
        if self._all:
            write_whole(self._paths.model_of_epoch(event.epoch), lambda handle: torch.save(state, handle))
        if event.is_best:
            best = self._paths.best_model(event.epoch)
            write_whole(best, lambda handle: torch.save(state, handle))
            self._drop_worse()

    def _drop_worse(self) -> None:
        """Each best model is better than all before it, so the worst are the oldest."""
        newest_first = sorted(self._paths.best_models.glob("model_*.pth"), key=_epoch_of, reverse=True)
        for path in newest_first[self._keep_best :]:
            path.unlink(missing_ok=True)


def _epoch_of(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])
