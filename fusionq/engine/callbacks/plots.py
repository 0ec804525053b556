"""Plots of the loss and of every metric: one PNG for each, overwritten."""

from __future__ import annotations

from collections.abc import Sequence

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.files import write_whole
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd
from fusionq.spec.paths import RunPaths


class Plots(Callback):
    """`plots/<value>.png`: train and test in one picture where both are measured.

    Drawn at the end and when training stops; with `every_epoch` after each epoch too.
    """

    def __init__(self, paths: RunPaths, *, every_epoch: bool = False) -> None:
        self._paths = paths
        self._every_epoch = every_epoch

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        if self._every_epoch and training.epoch < training.num_epochs:
            self._draw_all(training)

    def on_stop(self, training: Training) -> None:
        self._draw_all(training)

    def on_train_end(self, training: Training) -> None:
        self._draw_all(training)

    def _draw_all(self, training: Training) -> None:
        series = training.history.series()
        epochs = series.pop("epoch", [])
        pictures: dict[str, dict[str, Sequence[float]]] = {}
        for key, values in series.items():
            phase, _, name = key.partition("_")
            pictures.setdefault(name, {})[phase] = values
        for name, lines in pictures.items():
            self._draw(name, epochs, lines)

    def _draw(self, name: str, epochs: Sequence[float], lines: dict[str, Sequence[float]]) -> None:
        # Without pyplot there is no global figure that could pile up, and no window.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        for phase, values in lines.items():
            axes.plot(epochs, values, marker="." if len(epochs) < 40 else None, label=phase)
        axes.set(xlabel="epoch", ylabel=name.replace("_", " "))
        axes.grid(alpha=0.3)
        axes.legend()
        canvas = FigureCanvasAgg(figure)
        write_whole(self._paths.plot(name), lambda handle: canvas.print_png(handle))
