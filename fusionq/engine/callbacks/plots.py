"""Plots of the loss and of every metric: one PNG for each, overwritten."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.files import write_whole
from fusionq.engine.history import History
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd
from fusionq.spec.metric_keys import RATE, is_rate
from fusionq.spec.paths import RunPaths

Lines = dict[str, Sequence[float]]


class Plots(Callback):
    """`plots/<value>.png`: train and test in one picture where both are measured.

    Drawn at the end and when training stops; with `every_epoch` after each epoch too.
    """

    only_first = True
    is_optional = True

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
        for name, png in pictures(training.history):
            write_whole(self._paths.plot(name), lambda handle, png=png: handle.write(png), must_last=False)


class ShownPlots(Callback):
    """Shows the pictures after every epoch: in a notebook in its cell, elsewhere in one window each."""

    only_first = True
    is_optional = True

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        if _in_notebook():
            from IPython.display import Image, display

            for _, png in pictures(training.history):
                display(Image(png))
            return
        from matplotlib import pyplot

        for name, epochs, lines in _curves(training.history):
            figure = pyplot.figure(name, clear=True)  # the same window again, not one more
            _draw(figure, name, epochs, lines)
            figure.canvas.draw_idle()
        if pyplot.get_backend().lower() not in _WINDOWLESS:
            pyplot.pause(0.001)  # lets the windows show themselves

    def on_train_end(self, training: Training) -> None:
        if not _in_notebook():
            from matplotlib import pyplot

            for name, _, _ in _curves(training.history):
                pyplot.close(name)


_WINDOWLESS = ("agg", "pdf", "ps", "svg", "cairo", "template")


def pictures(history: History) -> Iterator[tuple[str, bytes]]:
    """The name and the PNG of every value in the history."""
    # Without pyplot there is no global figure that could pile up, and no window.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    for name, epochs, lines in _curves(history):
        figure = Figure(figsize=(6, 4), layout="constrained")
        _draw(figure, name, epochs, lines)
        png = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")  # a script that the font lacks
            FigureCanvasAgg(figure).print_png(png)
        yield name, png.getvalue()


def _curves(history: History) -> Iterator[tuple[str, Sequence[float], Lines]]:
    """For every value its name, the epochs, and a line for each phase that measures it."""
    series = history.series()
    epochs = series.pop("epoch", [])
    found: dict[str, Lines] = {}
    for key, values in series.items():
        phase, _, name = (key, "", RATE) if is_rate(key) else key.partition("_")
        found.setdefault(name, {})[phase] = values
    for name, lines in found.items():
        yield name, epochs, lines


def _draw(figure: Any, name: str, epochs: Sequence[float], lines: Lines) -> None:
    axes = figure.subplots()
    for phase, values in lines.items():
        axes.plot(epochs, values, marker="." if len(epochs) < 40 else None, label=phase)
    axes.set(xlabel="epoch", ylabel=name.replace("_", " "))
    axes.grid(alpha=0.3)
    axes.legend()


def _in_notebook() -> bool:
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and "IPKernelApp" in shell.config
