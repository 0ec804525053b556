"""Plots of the loss and of every metric: one PNG for each, overwritten."""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Iterator
from typing import Any

from fusionq.engine.callbacks.base import Callback
from fusionq.engine.callbacks.pace import Pace
from fusionq.engine.curves import Curves, curves_of
from fusionq.engine.files import write_whole
from fusionq.engine.training import Training
from fusionq.spec.events import EpochEnd
from fusionq.spec.paths import RunPaths

SIZE = (12, 8)  # inches of 100 dots
MOST_OF_A_NAME = 100  # characters in the name of a file


class Plots(Callback):
    """`plots/<value>.png`: train, validation and test in one picture, and metrics of one kind.

    Drawn at the end and when training stops; with `every_epoch` after epochs too, at most once a second.
    """

    only_first = True
    is_optional = True

    def __init__(self, paths: RunPaths, *, every_epoch: bool = False) -> None:
        self._paths = paths
        self._every_epoch = every_epoch
        self._pace = Pace()

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        if self._every_epoch and training.epoch < training.num_epochs and self._pace.is_due():
            began = time.monotonic()
            self._draw_all(training)
            self._pace.note(began)

    def on_stop(self, training: Training) -> None:
        self._draw_all(training)

    def on_train_end(self, training: Training) -> None:
        self._draw_all(training)

    def _draw_all(self, training: Training) -> None:
        for name, png in pictures(training):
            path = self._paths.plot(name[:MOST_OF_A_NAME].replace("/", "_"))
            write_whole(path, lambda handle, png=png: handle.write(png), must_last=False)


class ShownPlots(Callback):
    """Shows the pictures after every epoch: in a notebook in its cell, elsewhere in one window each."""

    only_first = True
    is_optional = True

    def on_epoch_end(self, training: Training, event: EpochEnd) -> None:
        if _in_notebook():
            from IPython.display import Image, display

            for _, png in pictures(training):
                display(Image(png))
            return
        from matplotlib import pyplot

        for curves in curves_of(training):
            figure = pyplot.figure(curves.name, clear=True)  # the same window again, not one more
            _draw(figure, curves, training)
            figure.canvas.draw_idle()
        if pyplot.get_backend().lower() not in _WINDOWLESS:
            pyplot.pause(0.001)  # lets the windows show themselves

    def on_train_end(self, training: Training) -> None:
        if not _in_notebook():
            from matplotlib import pyplot

            for curves in curves_of(training):
                pyplot.close(curves.name)


_WINDOWLESS = ("agg", "pdf", "ps", "svg", "cairo", "template")


def pictures(training: Training) -> Iterator[tuple[str, bytes]]:
    """The name and the PNG of every picture. One that cannot be drawn is told and left out."""
    # Without pyplot there is no global figure that could pile up, and no window.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    for curves in curves_of(training):
        png = io.BytesIO()
        try:
            figure = Figure(figsize=SIZE, dpi=100, layout="constrained")
            _draw(figure, curves, training)
            with warnings.catch_warnings():
                # A font that lacks a script draws boxes; the log need not hear of each letter.
                warnings.filterwarnings("ignore", message="Glyph .* missing from")
                FigureCanvasAgg(figure).print_png(png)
        except (ValueError, OverflowError, RuntimeError, FloatingPointError) as error:
            training.stepper.warn(f"no picture of {curves.name[:MOST_OF_A_NAME]}: {error}")
            continue
        yield curves.name, png.getvalue()


def _draw(figure: Any, curves: Curves, training: Training) -> None:
    from matplotlib.ticker import MaxNLocator

    axes = figure.subplots()
    for label, values in curves.lines.items():
        axes.plot(curves.epochs, values, marker="." if len(curves.epochs) < 40 else None, label=label[:60])
    if training.best.is_known:
        best = training.best.epoch
        axes.axvline(best, linestyle="--", color="grey", label=f"best epoch, {best}")
    name = curves.name.replace("_", " ")[:MOST_OF_A_NAME]
    axes.set(xlabel="epoch", ylabel=name, title=f"{training.title}: {name}" if training.title else name)
    if curves.is_logarithmic:
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()


def _in_notebook() -> bool:
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and "IPKernelApp" in shell.config
