"""How far a training is, from the last event that it told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def share_done(progress: Mapping[str, Any]) -> float:
    """How much of the training is done, from 0 to 1."""
    if not progress.get("num_epochs"):
        return 0.0
    if progress["kind"] == "progress":
        in_epoch = (
            progress["batch"] / max(progress["num_batches"], 1) if progress["phase"] == "train" else 1.0
        )
        return (progress["epoch"] - 1 + in_epoch) / progress["num_epochs"]
    if progress["kind"] == "started":
        return (progress["epoch"] + progress["batch"] / max(progress["num_batches"], 1)) / progress[
            "num_epochs"
        ]
    return progress["epoch"] / progress["num_epochs"]
