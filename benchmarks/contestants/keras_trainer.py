"""(g) Keras 3 on the torch backend, on the same DataLoaders."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
from keras import layers

from benchmarks.contestants import common


def network(task: str) -> keras.Model:
    if task == "mlp":
        hidden = [layers.Dense(100, activation="relu") for _ in range(3)]
        return keras.Sequential([keras.Input((1, 28, 28)), layers.Flatten(), *hidden, layers.Dense(10)])
    if task == "cnn":
        options = {"padding": "same", "activation": "relu", "data_format": "channels_first"}
        return keras.Sequential(
            [
                keras.Input((1, 28, 28)),
                layers.Conv2D(16, 5, **options),
                layers.MaxPool2D(2, data_format="channels_first"),
                layers.Conv2D(32, 5, **options),
                layers.MaxPool2D(2, data_format="channels_first"),
                layers.Flatten(),
                layers.Dense(10),
            ]
        )
    raise SystemExit("Keras ships no ResNet-18")


def main() -> None:
    arguments = common.arguments()
    train_loader, test_loader = common.loaders(arguments)
    clock = common.Clock()

    class Tick(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            clock.tick()

    model = network(arguments.task)
    model.compile(
        optimizer=keras.optimizers.Adam(common.LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(train_loader, epochs=arguments.epochs, validation_data=test_loader, callbacks=[Tick()])
    clock.report()


if __name__ == "__main__":
    main()
