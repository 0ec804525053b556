"""Where a model is trained: on a GPU where there is one for this process, else on the CPU."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch

VISIBLE = "CUDA_VISIBLE_DEVICES"  # empty: this process is to use no GPU, of whatever make


def pick_device(use_gpu: bool = True, environ: Mapping[str, str] = os.environ) -> torch.device:
    """cuda (also AMD's, which torch calls so), or Apple's mps, or cpu."""
    if not use_gpu or environ.get(VISIBLE) == "":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def name_of(device: torch.device) -> str:
    """What people call it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "Apple GPU" if device.type == "mps" else "cpu"
