"""A data set whose storage the engine does not know, so that it goes through a DataLoader."""

from __future__ import annotations

import torch
from torch import Tensor

import fusionq as tf


class NoisyDigits(tf.Digits):
    """Digits of 8 x 8 as tensors, with noise that is drawn anew every time that a sample is asked for."""

    def __init__(self) -> None:
        super().__init__(size=8)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.data[index, None] / 255
        return image + torch.rand(image.shape) / 4, int(self.targets[index])
