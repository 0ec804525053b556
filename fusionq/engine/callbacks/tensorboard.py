"""Event files for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.training import Training
from fusionq.errors import TargetError
from fusionq.spec.events import EpochEnd, Progress
from fusionq.spec.metric_keys import is_rate, measured

BATCHES = "batches"


class TensorBoard(Callback):
    """Event files in `tensorboard/` of the run folder, for `tensorboard --logdir`.

    Tags are `accuracy/train`, `accuracy/test`, `loss/val`, `lr`, and the step is the epoch; "Custom scalars"
    has one chart for all phases of a value. A run of its own, `batches`, shows values within epochs.
    """

    only_first = True
    is_optional = True

    def __init__(self) -> None:
        self._epochs: Any = None
        self._batches: Any = None

    def on_train_start(self, training: Training) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise TargetError(
                "TensorBoard is not installed on this worker; pip install tensorboard"
            ) from error
        folder = training.paths.tensorboard
        self._epochs = SummaryWriter(str(folder), purge_step=training.epoch + 1)
        self._batches = SummaryWriter(str(folder / BATCHES), purge_step=training.global_batch + 1)

    def on_progress(self, training: Training, event: Progress) -> None:
        for key, value in event.values.items():
            self._batches.add_scalar(tag_of(key), value, training.global_batch)

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        for key, value in event.values.items():
            self._epochs.add_scalar(tag_of(key), value, event.epoch)

    def on_train_end(self, training: Training) -> None:
        rows = training.history.rows
        if rows:
            self._epochs.add_custom_scalars(_charts(rows[-1]))
            self._write_params(training, measured(rows[-1]))

    def on_leave(self, training: Training) -> None:
        for writer in (self._epochs, self._batches):
            if writer is not None:
                writer.close()

    def _write_params(self, training: Training, values: Mapping[str, float]) -> None:
        """What a sweep changed for this job, beside what it came to: a row of "HParams"."""
        if not training.params:
            return
        from torch.utils.tensorboard.summary import hparams

        params = {key: _plain(value) for key, value in training.params.items()}
        for summary in hparams(params, {tag_of(key): value for key, value in values.items()}):
            self._epochs.file_writer.add_summary(summary)


def tag_of(key: str) -> str:
    """The tag of a value: `train_accuracy` is `accuracy/train`."""
    phase, _, name = key.partition("_")
    return key if is_rate(key) or not name else f"{name}/{phase}"


def _charts(values: Mapping[str, float]) -> dict[str, dict[str, list[Any]]]:
    """A chart for each value, with a line for each phase."""
    tags: dict[str, list[str]] = {}
    for tag in map(tag_of, measured(values)):
        tags.setdefault(tag.rpartition("/")[0], []).append(tag)
    return {"fusionq": {name: ["Multiline", found] for name, found in tags.items()}}


def _plain(value: Any) -> bool | float | str:
    return value if isinstance(value, bool | int | float | str) else str(value)
