"""fusionq: a queue for PyTorch training jobs, and the engine that runs them.

`import fusionq as tf` gives the training classes (`tf.StandardModel`, `tf.Accuracy`, …). They load
torch on first use; importing the package alone loads neither torch nor Celery. `fusionq.Client` is the
queue from Python, without torch.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_ENGINE_NAMES = (
    "MSE",
    "Accuracy",
    "BaseModel",
    "Callback",
    "CsvLog",
    "DepthwiseConv1d",
    "DepthwiseConv2d",
    "DepthwiseConv3d",
    "DepthwiseConvTranspose1d",
    "DepthwiseConvTranspose2d",
    "DepthwiseConvTranspose3d",
    "Digits",
    "Flatten",
    "GlobalAvgPool2d",
    "GlobalMaxPool2d",
    "Metric",
    "ModelSummary",
    "Reshape",
    "StandardModel",
    "StepOptions",
    "TensorBoard",
)

_CLIENT_NAMES = {"Client": "fusionq.client.client", "Job": "fusionq.client.job"}

__all__ = [*_ENGINE_NAMES, *_CLIENT_NAMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _CLIENT_NAMES:
        return getattr(importlib.import_module(_CLIENT_NAMES[name]), name)
    if name not in _ENGINE_NAMES:
        raise AttributeError(f"module 'fusionq' has no attribute {name!r}")
    return getattr(importlib.import_module("fusionq.engine"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
