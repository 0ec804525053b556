"""scikit-learn's handwritten digits: a real data set that needs no download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from PIL import Image
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

TEST_EVERY = 5


class Digits(Dataset):
    """1,797 grey images of the digits 0 to 9, in MNIST's form: (PIL image of size x size, class number).

    Every fifth image is for testing. The images are 8 x 8 in scikit-learn and scaled to `size` here.
    Source: https://archive.ics.uci.edu/dataset/80, as bundled with scikit-learn.
    """

    def __init__(
        self, train: bool = True, size: int = 28, transform: Callable[[Any], Any] | None = None
    ) -> None:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        images = torch.from_numpy(bunch.images).float()[:, None] * (255 / 16)
        if size != images.shape[-1]:
            images = interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
        is_test = torch.arange(len(images)) % TEST_EVERY == 0
        chosen = ~is_test if train else is_test
        self.data = images[chosen, 0].round().to(torch.uint8)
        self.targets = torch.from_numpy(bunch.target)[chosen].long()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image: Any = Image.fromarray(self.data[index].numpy(), mode="L")
        if self.transform is not None:
            image = self.transform(image)
        return image, int(self.targets[index])
