"""Curves in the terminal, by plotext (https://github.com/piccolomo/plotext)."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Mapping, Sequence

import click
import plotext

from fusionq.cli.bars import can_draw
from fusionq.client.metrics import Metrics

EPOCH = "epoch"
NOT_A_CURVE = "duration_s"
HEIGHT = 15
WIDEST = 100
_IN_ASCII = str.maketrans("┌┐└┘├┤┬┴┼─│", "+++++++++-|")


def print_curves(found: Mapping[str, Metrics], names: Sequence[str]) -> None:
    """A picture for each value; of one job, train and test lie in the same one."""
    width = min(WIDEST, shutil.get_terminal_size().columns)
    for title, lines in lines_by_title(found, names).items():
        click.echo(draw(title, lines, width, HEIGHT, is_colourful=sys.stdout.isatty()))


Line = tuple[list[float], list[float]]


def lines_by_title(found: Mapping[str, Metrics], names: Sequence[str]) -> dict[str, dict[str, Line]]:
    """Which lines lie in one picture, by their label."""
    grouped: dict[str, dict[str, Line]] = {}
    for name in names:
        if name in (EPOCH, NOT_A_CURVE):
            continue
        phase, _, rest = name.partition("_")
        for job_id, its in found.items():
            line = _line(its, name)
            if line[0]:
                title, label = (rest, phase) if len(found) == 1 else (name, job_id)
                grouped.setdefault(title, {})[label] = line
    return grouped


def _line(metrics: Metrics, name: str) -> Line:
    points = [(row[EPOCH], row[name]) for row in metrics if name in row and math.isfinite(row[name])]
    return [epoch for epoch, _ in points], [value for _, value in points]


def draw(title: str, lines: Mapping[str, Line], width: int, height: int, *, is_colourful: bool) -> str:
    """One picture of so many characters."""
    plotext.clear_figure()
    plotext.plotsize(width, height)
    if not is_colourful:
        plotext.theme("clear")
    for label, (epochs, values) in lines.items():
        plotext.plot(epochs, values, label=label, marker="braille" if can_draw() else "*")
    most = int(max(max(epochs) for epochs, _ in lines.values()))
    least = int(min(min(epochs) for epochs, _ in lines.values()))
    step = max(1, (most - least) // 8)
    plotext.xticks(range(least, most + 1, step))
    plotext.title(title.replace("_", " "))
    plotext.xlabel(EPOCH)
    drawn = plotext.build()
    if not can_draw():
        drawn = drawn.translate(_IN_ASCII)
    return drawn if is_colourful else plotext.uncolorize(drawn)
