"""The random generators that a data set or a sampler keeps for itself."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from fusionq.engine.randomness import derive_seed
from fusionq.engine.state.walk import walk

Generator = torch.Generator | random.Random | np.random.Generator | np.random.RandomState


def find_generators(value: Any) -> list[Generator]:
    """Returns the generators in an object, its attributes and its containers, each once."""
    found = (held for _, held in walk(value, leaves=Generator))
    return [one for one in found if isinstance(one, Generator) and not isinstance(one, random.SystemRandom)]


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
