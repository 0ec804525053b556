"""The keys of what is measured: `train_loss`, `test_accuracy`, `lr`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

TRAIN = "train"
VAL = "val"
TEST = "test"

EPOCH = "epoch"
RATE = "lr"
LOSS = "loss"

_LAST_SIGNS = {"+": "plus", "-": "minus"}


def key_of(phase: str, name: str) -> str:
    """Returns the key of a metric in the history: `test` and `Top 1 Acc ` give `test_top_1_acc`.

    Letters of any script stay. A sign at the end tells `acc+` from `acc-`, so it becomes a word.
    """
    name = unicodedata.normalize("NFC", name).strip().lower()
    for sign, word in _LAST_SIGNS.items():
        name = f"{name.removesuffix(sign)} {word}" if name.endswith(sign) else name
    word = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in name)
    return "_".join([phase, *(word.split() or _named(name))])


def _named(signs: str) -> list[str]:
    """Returns words for a name that is made of signs alone."""
    return " ".join(unicodedata.name(sign, "sign").lower().replace("-", " ") for sign in signs).split()


def loss_key(phase: str) -> str:
    return f"{phase}_{LOSS}"


def rate_keys(number: int) -> list[str]:
    """The keys of the learning rates of so many parameter groups."""
    return [RATE] if number == 1 else [f"{RATE}/{i}" for i in range(number)]


def is_rate(key: str) -> bool:
    return key == RATE or key.startswith(f"{RATE}/")


def name_mistake(phase: str, names: Iterable[str], *, has_loss: bool = True) -> str | None:
    """Returns what is wrong with the names of a phase's metrics: two share a key, or one has the loss's.

    `has_loss`: whether the loss is measured in that phase.
    """
    known: dict[str, str] = {}
    for name in names:
        key = key_of(phase, name)
        if has_loss and key == loss_key(phase):
            return f"{key!r} is the loss itself, so no metric can be called {name!r}; give it another name"
        if key in known:
            return _clash(key, known[key], name)
        known[key] = name
    return None


def _clash(key: str, first: str, second: str) -> str:
    if first == second:
        return f"two metrics are both called {first!r}; give one of them another name"
    return f"the metrics {first!r} and {second!r} would both be {key!r}; give one of them another name"


def measured(values: Mapping[str, float]) -> dict[str, float]:
    """The losses and metrics among the values of an epoch: what tells how good it is."""
    return {key: value for key, value in values.items() if key != EPOCH and not is_rate(key)}
