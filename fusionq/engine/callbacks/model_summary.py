"""Prints the table of the model's layers when training starts."""

from __future__ import annotations

from torch import Tensor

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.data.batches import example_of
from fusionq.engine.data.rows import inputs_of
from fusionq.engine.summary import summarize
from fusionq.engine.training import Training


class ModelSummary(Callback):
    """The layers with shapes, parameters and multiply-adds, for inputs like those of the first batch."""

    only_first = True
    is_optional = True

    def on_train_start(self, training: Training) -> None:
        batch = example_of(training.train_batches)
        inputs = inputs_of(batch)
        if isinstance(inputs, Tensor) and inputs.is_floating_point():
            print(summarize(training.trainer.model, inputs.shape[1:], inputs.device), flush=True)
        else:
            print("no summary: the inputs of this model are not one tensor of numbers", flush=True)
