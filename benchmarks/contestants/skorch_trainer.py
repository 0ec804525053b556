"""(i) skorch, as its documentation shows it."""

from __future__ import annotations

import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EpochScoring
from skorch.helper import predefined_split
from torch import nn

from benchmarks.contestants import common


class Tick(Callback):
    def __init__(self, clock: common.Clock) -> None:
        self.clock = clock

    def on_epoch_end(self, net, **_):
        self.clock.tick()


def main() -> None:
    arguments = common.arguments()
    train, test = common.datasets(arguments.task, arguments.data)
    clock = common.Clock()
    net = NeuralNetClassifier(
        common.network(arguments.task),
        classes=list(range(10)),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=common.LEARNING_RATE,
        batch_size=common.BATCH_SIZE,
        max_epochs=arguments.epochs,
        iterator_train__shuffle=True,
        iterator_train__num_workers=arguments.loader_workers,
        iterator_valid__num_workers=arguments.loader_workers,
        train_split=predefined_split(test),
        callbacks=[
            ("train_acc", EpochScoring("accuracy", on_train=True, lower_is_better=False)),
            ("tick", Tick(clock)),
        ],
    )
    net.fit(train, y=None)
    clock.report()


if __name__ == "__main__":
    main()
