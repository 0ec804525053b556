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
from fusionq.spec.metric_keys import EPOCH

NOT_A_CURVE = "duration_s"
HEIGHT = 15
WIDEST = 100
LINES_PER_TICK = 3
COLUMNS_PER_TICK = 10
# Of the 256 colours those that can be read on a dark and on a light background.
COLOURS = (33, 208, 35, 170, 137, 73, 160, 99)
_IN_ASCII = str.maketrans("┌┐└┘├┤┬┴┼─│", "+++++++++-|")


def print_curves(found: Mapping[str, Metrics], names: Sequence[str]) -> None:
    """Prints a picture for each value; of one job, train and test lie in the same one."""
    width = min(WIDEST, shutil.get_terminal_size().columns)
    for title, lines in lines_by_title(found, names).items():
        click.echo(draw(title, lines, width, HEIGHT, is_colourful=sys.stdout.isatty()))


Line = tuple[list[float], list[float]]


def lines_by_title(found: Mapping[str, Metrics], names: Sequence[str]) -> dict[str, dict[str, Line]]:
    """Returns which lines lie in one picture, by their label."""
    grouped: dict[str, dict[str, Line]] = {}
    for name in names:
        if name in (EPOCH, NOT_A_CURVE):
            continue
        phase, _, rest = name.partition("_")
        for job_id, its in found.items():
            line = _line(its, name)
            if line[0]:
                title, label = (rest, phase) if len(found) == 1 and rest else (name, job_id)
                grouped.setdefault(title, {})[label] = line
    return grouped


def _line(metrics: Metrics, name: str) -> Line:
    points = [
        (row[EPOCH], row[name])
        for row in metrics
        if isinstance(row.get(name), int | float) and math.isfinite(row[name])
    ]
    return [epoch for epoch, _ in points], [value for _, value in points]


def draw(title: str, lines: Mapping[str, Line], width: int, height: int, *, is_colourful: bool) -> str:
    """Returns one picture of so many characters: a line with title and legend, and the curves beneath it.

    It stands on the terminal's own background.
    """
    plotext.clear_figure()
    plotext.plotsize(width, height - 1)
    plotext.theme("clear")
    plotext.xaxes(True, False)
    plotext.yaxes(True, False)
    for (epochs, values), colour in zip(lines.values(), _colours(), strict=False):
        plotext.plot(epochs, values, color=colour, marker="braille" if can_draw() else "*")
    _set_ticks(lines, width, height)
    drawn = plotext.build().rstrip("\n")
    if not can_draw():
        drawn = drawn.translate(_IN_ASCII)
    picture = f"{_legend(title, lines, width, is_colourful=is_colourful)}\n{drawn}"
    return picture if is_colourful else click.unstyle(picture)


def _colours() -> list[int]:
    return [*COLOURS] * 8


def _legend(title: str, lines: Mapping[str, Line], width: int, *, is_colourful: bool) -> str:
    """`accuracy   ── train  ── test`, as far as it fits."""
    text = " " + title.replace("_", " ")
    used = len(text)
    mark = "──" if can_draw() else "--"
    parts = [click.style(text, bold=is_colourful)]
    for label, colour in zip(lines, _colours(), strict=False):
        used += len(mark) + len(label) + 3
        if used > width:
            break
        parts.append(f"{click.style(mark, fg=colour)} {label}")
    return "  ".join(parts)


def _set_ticks(lines: Mapping[str, Line], width: int, height: int) -> None:
    epochs = [epoch for its, _ in lines.values() for epoch in its]
    values = [value for _, its in lines.values() for value in its]
    most = max(2, width // COLUMNS_PER_TICK)
    at = even_ticks(min(epochs), max(epochs), most, least_step=_least_step(epochs))
    plotext.xticks(at, tick_texts(at))
    low, high = min(values), max(values)
    if low == high:  # a level line in the middle
        margin = abs(low) / 2 or 1.0
        low, high = low - margin, high + margin
    at = even_ticks(low, high, max(2, height // LINES_PER_TICK))
    plotext.ylim(min(low, at[0]), max(high, at[-1]))
    plotext.yticks(at, tick_texts(at))


def _least_step(epochs: Sequence[float]) -> float:
    """Whole epochs, but within the first one."""
    return 1.0 if max(epochs) - min(epochs) >= 1 else 0.0


def even_ticks(low: float, high: float, most: int, *, least_step: float = 0.0) -> list[float]:
    """Returns about `most` round numbers from `low` to `high`, in steps of 1, 2 or 5 by powers of 10."""
    if not high > low:
        return [low]
    raw = max((high - low) / most, least_step)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)] or [low]


def tick_texts(ticks: Sequence[float]) -> list[str]:
    """Returns the numbers, all with as many decimals as the step between them needs."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 0.0
    size = max(abs(tick) for tick in ticks)
    if size >= 1e6 or 0 < size < 1e-4:
        return [f"{tick:.3g}" for tick in ticks]
    if not step:
        return [f"{tick:.4g}" for tick in ticks]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{tick:.{min(decimals, 8)}f}" for tick in ticks]
