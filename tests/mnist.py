"""The real MNIST, where this machine has it: in FUSIONQ_DATA, in ./data, or in ../shared/data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[1]
_PLACES = [
    Path(os.environ.get("FUSIONQ_DATA") or _REPOSITORY / "data"),
    _REPOSITORY / "data",
    _REPOSITORY.parent / "shared" / "data",
]


def _find() -> Path | None:
    for place in _PLACES:
        if (place / "MNIST" / "raw" / "train-images-idx3-ubyte").exists():
            return place.absolute()
    return None


MNIST_ROOT = _find()
needs_mnist = pytest.mark.skipif(
    MNIST_ROOT is None, reason="the real MNIST is not on this machine; name its folder in FUSIONQ_DATA"
)
