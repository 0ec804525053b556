"""A data set whose samples are drawn at random."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch.utils.data import Dataset


class Draws(Dataset):
    """Every sample is its index and what the three generators give when it is asked for."""

    def __init__(self, num_samples: int = 24) -> None:
        self.num_samples = num_samples

    def __len__(self) -> int:
        return self.num_samples

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor]:
        drawn = [random.random(), float(np.random.rand()), torch.rand(()).item()]
        return index, torch.tensor(drawn, dtype=torch.float64)
