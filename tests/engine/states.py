"""What the tests of a trainer's own state share: an owner of attributes, and ways through a checkpoint."""

from __future__ import annotations

import enum
from collections import namedtuple
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fusionq.engine.files import write_tensors
from fusionq.engine.state.own_state import TRAINER, OwnState

Point = namedtuple("Point", ["x", "y"])


class Phase(enum.Enum):
    BEGIN = "begin"
    LATER = "later"


class Slotted:
    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Nothing:
    """A trainer-like owner of attributes."""

    def __init__(self) -> None:
        self.value: Any = None


def state_of(trainer: Any, warnings: list[str] | None = None, model: nn.Module | None = None) -> OwnState:
    warn = (warnings if warnings is not None else []).append
    return OwnState(model or nn.Linear(1, 1), {TRAINER: trainer}, {}, torch.device("cpu"), warn=warn)


def carried_over(old: OwnState, new: OwnState, folder: Path) -> None:
    """Through a file, as a checkpoint is."""
    own, shared = old.state_dict(is_first=True)
    write_tensors(folder / "state.pt", {"own": own, "shared": shared})
    state = torch.load(folder / "state.pt", weights_only=True)
    new.load_state_dict(state["own"], state["shared"])


def put_back(value: Any, folder: Path, before: Any = None) -> Any:
    old, new = Nothing(), Nothing()
    old.value, new.value = before, before
    state = state_of(old)
    state.begin()
    old.value = value
    carried_over(state, state_of(new), folder)
    return new.value
