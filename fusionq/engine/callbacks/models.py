"""Model files: plain state dicts of every epoch or of the best one."""

from __future__ import annotations

import torch

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.files import write_whole
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd
from fusionq.spec.paths import RunPaths


class ModelFiles(Callback):
    """`all_models/model_<epoch>.pth` of every epoch (with "all"), and the one best in `best_models/`."""

    def __init__(self, paths: RunPaths, save_models: str) -> None:
        self._paths = paths
        self._all = save_models == "all"

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        state = training.trainer.model.state_dict()
        if self._all:
            write_whole(self._paths.model_of_epoch(event.epoch), lambda handle: torch.save(state, handle))
        if event.is_best:
            best = self._paths.best_model(event.epoch)
            write_whole(best, lambda handle: torch.save(state, handle))
            for older in best.parent.glob("model_*.pth"):
                if older != best:
                    older.unlink(missing_ok=True)
