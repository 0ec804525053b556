"""Model files: plain state dicts of every epoch or of the best one."""

from __future__ import annotations

from pathlib import Path

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.files import write_tensors
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd
from fusionq.spec.paths import RunPaths


class ModelFiles(Callback):
    """`all_models/model_<epoch>.pth` of every epoch (with "all"), and the best ones in `best_models/`.

    While the monitored value was never a number, the last model stands for the best.
    """

    only_first = True

    def __init__(self, paths: RunPaths, save_models: str, *, keep_best: int = 1) -> None:
        self._paths = paths
        self._all = save_models == "all"
        self._keep_best = keep_best

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        state = training.model_to_keep().state_dict()
        if self._all:
            write_tensors(self._paths.model_of_epoch(event.epoch), state)
        if event.is_best or not training.best.is_known:  # without a number the last is as good as any
            write_tensors(self._paths.best_model(event.epoch), state)
            self._drop_worse(event.epoch)

    def _drop_worse(self, epoch: int) -> None:
        """Each best model is better than all before it, so the worst are the oldest.

        A model of a later epoch is what another training left in this folder.
        """
        newest_first = sorted(self._paths.best_models.glob("model_*.pth"), key=_epoch_of, reverse=True)
        ours = [path for path in newest_first if _epoch_of(path) <= epoch]
        for path in set(newest_first) - set(ours[: self._keep_best]):
            path.unlink(missing_ok=True)


def _epoch_of(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])
