"""The random generators that a data set keeps for itself."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch

from fusionq.engine.randomness import derive_seed
from fusionq.engine.state.kinds import attributes_of, is_walked

Generator = torch.Generator | random.Random | np.random.Generator | np.random.RandomState
_MOST_ITEMS = 100
"""Of a list: those of samples are long, those of transforms are short."""


def find_generators(value: Any) -> list[Generator]:
    """Returns the generators in an object, its attributes and its containers, each once."""
    return list(_generators(value, set()))


def _generators(value: Any, seen: set[int]) -> Iterator[Generator]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Generator):
        if not isinstance(value, random.SystemRandom):
            yield value
    elif isinstance(value, list | tuple):
        for item in value[:_MOST_ITEMS]:
            yield from _generators(item, seen)
    elif isinstance(value, dict):
        for item in islice(value.values(), _MOST_ITEMS):
            yield from _generators(item, seen)
    elif isinstance(value, torch.nn.Module) or is_walked(value):
        for item in attributes_of(value).values():
            yield from _generators(item, seen)


def seed_generators(generators: list[Generator], *parts: int | str) -> None:
    """Seed each with a number of its own that is a function of `parts`."""
    for number, generator in enumerate(generators):
        seed = derive_seed("generator", number, *parts)
        if isinstance(generator, torch.Generator):
            generator.manual_seed(seed)
        elif isinstance(generator, random.Random):
            generator.seed(seed)
        elif isinstance(generator, np.random.Generator):
            generator.bit_generator.state = type(generator.bit_generator)(seed).state
        else:
            generator.seed(seed % 2**32)
