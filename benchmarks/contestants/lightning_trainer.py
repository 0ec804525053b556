"""(e) PyTorch Lightning, as its documentation shows it."""

from __future__ import annotations

import tempfile
import warnings

import lightning
import torch
from torch import nn

from benchmarks.contestants import common


class Classifier(lightning.LightningModule):
    def __init__(self, task: str, clock: common.Clock) -> None:
        super().__init__()
        self.net = common.network(task)
        self.loss = nn.CrossEntropyLoss()
        self.clock = clock

    def training_step(self, batch, index):
        inputs, targets = batch
        outputs = self.net(inputs)
        loss = self.loss(outputs, targets)
        accuracy = (outputs.argmax(1) == targets).float().mean()
        self.log_dict({"loss": loss, "accuracy": accuracy}, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch, index):
        inputs, targets = batch
        self.log("test_accuracy", (self.net(inputs).argmax(1) == targets).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=common.LEARNING_RATE)

    def on_train_epoch_end(self):
        self.clock.tick()


def main() -> None:
    arguments = common.arguments()
    warnings.filterwarnings("ignore")
    common.quiet()
    train_loader, test_loader = common.loaders(arguments)
    clock = common.Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = lightning.Trainer(
            max_epochs=arguments.epochs, accelerator="cpu", default_root_dir=folder, num_sanity_val_steps=0
        )
        trainer.fit(Classifier(arguments.task, clock), train_loader, test_loader)
    clock.report()


if __name__ == "__main__":
    main()
