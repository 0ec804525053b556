"""Random augmentation of whole batches on the device, one independent draw for each sample.

What a sample meets is a function of (seed, epoch, sample, place of the transform), so a resumed run, and a
run with another batch size, sees the same pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torchvision.transforms import v2

from fusionq.engine.randomness import derive_seed

Generator = torch.Generator


class Augmentation:
    """One random transform. `begin_epoch` draws for every sample, `__call__` applies the draws of some.

    Images are (N, C, H, W) of any dtype on any device.
    """

    def __init__(self, place: int, seed: int, num_samples: int, device: torch.device) -> None:
        self._key = (seed, place)
        self._num_samples = num_samples
        self._device = device
        self._epoch: int | None = None

    def begin_epoch(self, epoch: int) -> None:
        if epoch != self._epoch:
            generator = Generator().manual_seed(derive_seed("augment", *self._key, epoch))
            self._draws = self._draw(generator).to(self._device)
            self._epoch = epoch

    def __call__(self, images: Tensor, indices: Tensor) -> Tensor:
        return self._apply(images, self._draws.index_select(0, indices))

    def _draw(self, generator: Generator) -> Tensor:
        """The draws of all samples: their number first."""
        raise NotImplementedError

    def _apply(self, images: Tensor, draws: Tensor) -> Tensor:
        raise NotImplementedError


class Flip(Augmentation):
    """Mirrors an image with probability `p`, left and right (`dim` 3) or up and down (`dim` 2)."""

    def __init__(self, p: float, dim: int, *where: Any) -> None:
        super().__init__(*where)
        self._p = p
        self._dim = dim

    def _draw(self, generator: Generator) -> Tensor:
        return torch.rand(self._num_samples, generator=generator) < self._p

    def _apply(self, images: Tensor, draws: Tensor) -> Tensor:
        return torch.where(draws[:, None, None, None], images.flip(self._dim), images)


class Crop(Augmentation):
    """Cuts a window of `size` out of an image with `padding` zeros around it."""

    def __init__(self, size: tuple[int, int], padding: int, image: tuple[int, int], *where: Any) -> None:
        super().__init__(*where)
        self._size = size
        self._padding = padding
        self._room = [have + 2 * padding - want for have, want in zip(image, size, strict=True)]

    def _draw(self, generator: Generator) -> Tensor:
        rows, columns = (
            torch.randint(room + 1, (self._num_samples,), generator=generator) for room in self._room
        )
        return torch.stack((rows, columns), 1)

    def _apply(self, images: Tensor, draws: Tensor) -> Tensor:
        padded = pad(images, [self._padding] * 4)
        height, width = (torch.arange(length, device=images.device) for length in self._size)
        rows = draws[:, 0, None] + height
        columns = draws[:, 1, None] + width
        sample = torch.arange(len(images), device=images.device)[:, None, None, None]
        channel = torch.arange(images.shape[1], device=images.device)[None, :, None, None]
        return padded[sample, channel, rows[:, None, :, None], columns[:, None, None, :]]


def batched(transform: Any, image: tuple[int, int], *where: Any) -> Augmentation | None:
    """The batched form of a torchvision transform of images of size `image`, or None where there is none."""
    makers: dict[type, Callable[[], Augmentation | None]] = {
        v2.RandomHorizontalFlip: lambda: Flip(transform.p, 3, *where),
        v2.RandomVerticalFlip: lambda: Flip(transform.p, 2, *where),
        v2.RandomCrop: lambda: _crop(transform, image, *where),
    }
    make = makers.get(type(transform))
    return make() if make else None


def _crop(transform: Any, image: tuple[int, int], *where: Any) -> Crop | None:
    """A crop with equal padding by zeros on all sides, which is the usual one."""
    size = tuple(transform.size)
    around = transform.padding or 0
    padding = around if isinstance(around, int) else (around[0] if len(set(around)) == 1 else None)
    is_plain = (
        transform.padding_mode == "constant" and not transform.pad_if_needed and not _has_fill(transform)
    )
    if padding is None or not is_plain or any(w > h + 2 * padding for w, h in zip(size, image, strict=True)):
        return None
    return Crop((size[0], size[1]), padding, image, *where)


def _has_fill(transform: Any) -> bool:
    fill = transform.fill
    values = fill.values() if isinstance(fill, dict) else [fill]
    return any(value not in (0, None) for value in values)
