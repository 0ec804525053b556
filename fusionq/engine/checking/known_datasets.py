"""Data sets whose samples are known without their files: the pictures' form and the number of classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image

from fusionq.engine.checking.blocks import arguments_of
from fusionq.spec.job import Target
from fusionq.spec.targets import ARGS, TARGET

_EMNIST = {"byclass": 62, "bymerge": 47, "balanced": 47, "letters": 27, "digits": 10, "mnist": 10}
# mode, height and width, classes; as torchvision's documentation has them.
_PICTURES: dict[str, tuple[str, int, int]] = {
    "MNIST": ("L", 28, 10),
    "FashionMNIST": ("L", 28, 10),
    "KMNIST": ("L", 28, 10),
    "QMNIST": ("L", 28, 10),
    "USPS": ("L", 16, 10),
    "CIFAR10": ("RGB", 32, 10),
    "CIFAR100": ("RGB", 32, 100),
    "SVHN": ("RGB", 32, 10),
    "STL10": ("RGB", 96, 10),
}
# How many there are to train and to test with.
_NUM_SAMPLES = {
    "Digits": (1437, 360),
    "MNIST": (60_000, 10_000),
    "FashionMNIST": (60_000, 10_000),
    "KMNIST": (60_000, 10_000),
    "CIFAR10": (50_000, 10_000),
    "CIFAR100": (50_000, 10_000),
}
_ARGUMENTS = {"root", "train", "download", "split", "transform", "size", "num_classes", "image_size"}


@dataclass(frozen=True)
class Known:
    """One sample's picture, and how many classes and samples there are, the latter where it is known."""

    picture: Any
    num_classes: int
    num_samples: int | None = None


def known_form(block: Target) -> Known | None:
    """The form of a well-known data set, or None where only its files can tell."""
    module, _, name = block[TARGET].rpartition(".")
    _, arguments = arguments_of(block)
    if block.get(ARGS) or not arguments.keys() <= _ARGUMENTS | {"random_offset"}:
        return None
    if module == "fusionq" and name == "Digits":
        size = arguments.get("size", 28)
        number = _num_samples(name, arguments)
        return Known(Image.new("L", (size, size)), 10, number) if _is_size(size) else None
    if module != "torchvision.datasets":
        return None
    if name == "FakeData":
        return _fake_data(**{k: v for k, v in arguments.items() if k in ("image_size", "num_classes")})
    if name == "EMNIST":
        classes = _EMNIST.get(str(arguments.get("split")))
        return Known(Image.new("L", (28, 28)), classes) if classes else None
    if name not in _PICTURES or (
        name == "STL10" and arguments.get("split", "train") not in ("train", "test")
    ):
        return None
    mode, size, classes = _PICTURES[name]
    return Known(Image.new(mode, (size, size)), classes, _num_samples(name, arguments))


def _num_samples(name: str, arguments: dict[str, Any]) -> int | None:
    train, test = _NUM_SAMPLES.get(name, (None, None))
    return {True: train, False: test}.get(arguments.get("train", True))


def _fake_data(image_size: Any = (3, 224, 224), num_classes: Any = 10) -> Known | None:
    is_whole = (
        isinstance(image_size, list | tuple) and len(image_size) == 3 and all(map(_is_size, image_size))
    )
    if not is_whole or image_size[0] not in (1, 3) or not _is_size(num_classes):
        return None
    channels, height, width = image_size
    return Known(Image.new("L" if channels == 1 else "RGB", (width, height)), num_classes)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and 0 < value < 100_000
