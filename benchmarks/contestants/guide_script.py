"""(b) fusionq through the training guide's own script, with its DataLoaders and the batch log on."""

from __future__ import annotations

import tempfile

from torch import nn
from torch.optim import Adam

import fusionq as tf
from benchmarks.contestants import common


class Timed(tf.StandardModel):
    """Ticks at the end of every epoch."""

    clock = common.Clock()

    def on_epoch_end(self, epoch, train_metrics, test_metrics, train_loss, duration):
        self.clock.tick()


def main() -> None:
    arguments = common.arguments()
    common.quiet()
    train_loader, test_loader = common.loaders(arguments)
    net = common.network(arguments.task)
    model = Timed(net)
    with tempfile.TemporaryDirectory() as folder:
        model.train(
            train_loader,
            nn.CrossEntropyLoss(),
            Adam(net.parameters(), lr=common.LEARNING_RATE),
            [tf.Accuracy(topK=1)],
            test_loader,
            [tf.Accuracy(name="Top 1 Acc ", topK=1)],
            num_epochs=arguments.epochs,
            model_dir=folder,
            batch_log=True,
            save_metrics=False,
            save_logs=f"{folder}/logs.txt",
        )
    model.clock.report()


if __name__ == "__main__":
    main()
