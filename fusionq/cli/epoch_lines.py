"""Fits the line that a job prints after each epoch to the width of a terminal."""

from __future__ import annotations

import re
from itertools import groupby

from fusionq.spec.metric_keys import LOSS, TRAIN

_EPOCH = re.compile(r"(epoch +\d+/\d+)  (.+)")
_VALUE = re.compile(r"(\S+) (-?\d\S*|nan|-?inf)")
BEST = "best"


def fit_epoch_line(line: str, width: int) -> str:
    """Returns the line as it is where it fits, or is none of an epoch; else a shorter form of it.

    First the rate goes and a `*` stands for best, then names lose the phase that they share, then values go:
    metrics of the training before the losses of validation and test, and these before their metrics.
    """
    found = _EPOCH.fullmatch(line)
    if found is None or len(line) <= width:
        return line
    head, fields = found[1], re.split(r"  +", found[2])
    values = [match.groups() for field in fields if (match := _VALUE.fullmatch(field))]
    others = [field for field in fields if not _VALUE.fullmatch(field) and not field.endswith("samples/s")]
    tail = [field for field in others if field != BEST]
    star = " *" if BEST in others else ""
    forms = [_joined(head, [f"{name} {value}" for name, value in values], tail, star)]
    while values:
        forms.append(_joined(head, _grouped(values), tail, star))
        values.remove(max(reversed(values), key=_goes_early))
    return next((form for form in forms if len(form) <= width), forms[-1])


def _goes_early(value: tuple[str, ...]) -> int:
    phase, _, name = value[0].partition("_")
    is_training, is_loss = phase == TRAIN, name == LOSS
    return 0 if is_training and is_loss else 3 if is_training else 2 if is_loss else 1


def _joined(head: str, values: list[str], tail: list[str], star: str) -> str:
    return "  ".join([head, *values, *tail]) + star


def _grouped(values: list[tuple[str, ...]]) -> list[str]:
    """`train: loss 0.40 accuracy 0.87` for train_loss and train_accuracy."""
    groups = []
    for phase, its in groupby(values, key=lambda value: value[0].partition("_")[0]):
        words = [f"{name.partition('_')[2] or name} {value}" for name, value in its]
        groups.append(f"{phase}: {' '.join(words)}" if words[0].split()[0] != phase else " ".join(words))
    return groups
