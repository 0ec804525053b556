"""Generators of random numbers that user code keeps go on where they were."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fusionq.engine.state.generators import find_generators, seed_generators
from tests.engine.states import Nothing, carried_over, state_of

GENERATORS = {
    "torch": (lambda: torch.Generator().manual_seed(1), lambda g: torch.rand(3, generator=g).tolist()),
    "python": (lambda: random.Random(1), lambda g: [g.gauss(0, 1) for _ in range(3)]),
    "numpy": (lambda: np.random.default_rng(1), lambda g: g.normal(size=3).tolist()),
    "philox": (lambda: np.random.Generator(np.random.Philox(1)), lambda g: g.random(3).tolist()),
    "numpy of old": (lambda: np.random.RandomState(1), lambda g: g.randn(3).tolist()),
}


@pytest.mark.parametrize("which", GENERATORS)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_generator_goes_on_where_it_was(which: str, is_there: bool, tmp_path: Path) -> None:
    make, draw = GENERATORS[which]
    old, new = Nothing(), Nothing()
    old.value, new.value = make(), make() if is_there else None
    draw(old.value)
    built = new.value
    carried_over(state_of(old), state_of(new), tmp_path)
    assert draw(new.value) == draw(old.value)
    assert new.value is built or not is_there


class Drawing(torch.utils.data.Dataset):
    def __init__(self) -> None:
        self.first = random.Random(1)
        self.second = np.random.default_rng(1)
        self.third = np.random.RandomState(1)

    def draw(self) -> list[float]:
        return [generator.random() for generator in (self.first, self.second, self.third)]


def test_generators_of_data_that_a_trainer_holds_go_on_where_they_were(tmp_path: Path) -> None:
    old, new = Nothing(), Nothing()
    old.value, new.value = Drawing(), Drawing()
    old.value.draw()
    carried_over(state_of(old), state_of(new), tmp_path)
    assert new.value.draw() == old.value.draw()


@pytest.mark.parametrize("which", GENERATORS)
def test_the_generators_of_a_data_set_are_seeded_for_each_sample(which: str) -> None:
    make, draw = GENERATORS[which]
    data = SimpleNamespace(inner=Nothing(), images=torch.zeros(3))
    data.inner.value = {"noise": make(), "more": [make()]}
    found = find_generators(data)
    assert len(found) == 2
    seed_generators(found, 1, 2)
    drawn = [draw(generator) for generator in found]
    seed_generators(found, 1, 3)
    assert draw(found[0]) != drawn[0] != drawn[1]
    seed_generators(found, 1, 2)
    assert [draw(generator) for generator in found] == drawn
