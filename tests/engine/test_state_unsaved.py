"""What no checkpoint can keep is told, and ends no training."""

from __future__ import annotations

import datetime
import itertools
import queue
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.engine.states import Nothing, Slotted, carried_over, state_of


class Zone(datetime.tzinfo):
    def utcoffset(self, when: datetime.datetime | None) -> datetime.timedelta:
        return datetime.timedelta(0)


class Keeper:
    """Says itself what its state is."""

    def state_dict(self) -> dict[str, int]:
        return {"number": 1}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.loaded = state


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda: (i for i in "ab"), "self.value (an open iterator, generator)"),
        (lambda: itertools.cycle([1]), "self.value (an open iterator, cycle)"),
        (lambda: iter(torch.utils.data.DataLoader([1, 2])), "self.value (an open iterator, _SingleProcess"),
        (lambda: {"a": [open(__file__)]}, "self.value['a'][0] (an open file)"),  # noqa: SIM115
        (lambda: random.SystemRandom(), "self.value (SystemRandom)"),
        (lambda: queue.Queue(), "self.value (Queue)"),
    ],
)
def test_what_cannot_be_saved_is_told_once_by_name(value: Any, said: str) -> None:
    warnings: list[str] = []
    owner = Nothing()
    owner.value = value()
    state = state_of(owner, warnings)
    state.state_dict(is_first=True)
    state.state_dict(is_first=True)
    assert len(warnings) == 1
    assert said in warnings[0]


def test_code_and_what_is_written_to_is_not_complained_of(tmp_path: Path) -> None:
    warnings: list[str] = []
    owner = Nothing()
    with (tmp_path / "log").open("w") as log:
        owner.value = [lambda: 1, owner.__init__, nn, log, print, object(), torch.no_grad]
        state_of(owner, warnings).state_dict(is_first=True)
    assert warnings == []


def test_an_optimizer_made_after_the_beginning_is_told(tmp_path: Path) -> None:
    warnings: list[str] = []
    owner, new = Nothing(), Nothing()
    state = state_of(owner, warnings)
    state.begin()
    owner.value = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    carried_over(state, state_of(new, warnings), tmp_path)
    assert "self.value (SGD, made after __init__)" in warnings[0]
    assert "self.value (SGD)" in warnings[1]


def test_a_time_in_a_zone_of_the_users_own_is_told(tmp_path: Path) -> None:
    warnings: list[str] = []
    owner, new = Nothing(), Nothing()
    state = state_of(owner, warnings)
    state.begin()
    owner.value = datetime.datetime(2024, 1, 1, tzinfo=Zone())
    carried_over(state, state_of(new), tmp_path)
    assert "self.value[1] (Zone)" in warnings[0]
    assert new.value is None


@pytest.mark.parametrize("there", [None, Slotted()])
def test_a_state_that_nobody_takes_is_told(there: Any, tmp_path: Path) -> None:
    warnings: list[str] = []
    old, new = Nothing(), Nothing()
    old.value, new.value = Keeper(), there
    carried_over(state_of(old), state_of(new, warnings), tmp_path)
    assert new.value is there
    assert "no place for: self.value (Keeper)" in warnings[0]


class Odd:
    """Its attributes cannot be looked at."""

    @property
    def __dict__(self) -> dict[str, Any]:
        raise RuntimeError("not mine")


def test_an_object_that_cannot_be_looked_at_ends_nothing() -> None:
    warnings: list[str] = []
    owner = Nothing()
    owner.value, owner.next = Odd(), 3
    state_of(owner, warnings).state_dict(is_first=True)
    assert "self.value (Odd" in warnings[0]
