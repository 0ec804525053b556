"""(f) PyTorch Ignite, as its documentation shows it."""

from __future__ import annotations

import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import ProgressBar
from ignite.metrics import Accuracy, Loss, RunningAverage
from torch import nn

from benchmarks.contestants import common


def main() -> None:
    arguments = common.arguments()
    common.quiet()
    train_loader, test_loader = common.loaders(arguments)
    net = common.network(arguments.task)
    optimizer = torch.optim.Adam(net.parameters(), lr=common.LEARNING_RATE)
    loss_fn = nn.CrossEntropyLoss()
    trainer = create_supervised_trainer(
        net, optimizer, loss_fn, output_transform=lambda x, y, y_pred, loss: (y_pred, y, loss.item())
    )
    RunningAverage(output_transform=lambda output: output[2]).attach(trainer, "loss")
    Accuracy(output_transform=lambda output: output[:2]).attach(trainer, "accuracy")
    ProgressBar().attach(trainer, ["loss"])
    evaluator = create_supervised_evaluator(net, metrics={"accuracy": Accuracy(), "loss": Loss(loss_fn)})
    clock = common.Clock()

    @trainer.on(Events.EPOCH_COMPLETED)
    def test(engine):
        evaluator.run(test_loader)
        clock.tick()

    trainer.run(train_loader, max_epochs=arguments.epochs)
    clock.report()


if __name__ == "__main__":
    main()
