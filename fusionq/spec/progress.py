"""How far a training is, from the last event that it told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def epoch_of(progress: Mapping[str, Any]) -> int:
    """The epoch that it is in, counted from 1; the last one once it is over."""
    return min(progress["epoch"] + (progress["kind"] == "started"), progress["num_epochs"])


def share_done(progress: Mapping[str, Any]) -> float:
    """How much of the training is done, from 0 to 1."""
    if not progress.get("num_epochs"):
        return 0.0
    if progress["kind"] == "progress":
        in_epoch = _share_of_epoch(progress) if progress["phase"] == "train" else 1.0
        return (progress["epoch"] - 1 + in_epoch) / progress["num_epochs"]
    if progress["kind"] == "started":
        return (progress["epoch"] + _share_of_epoch(progress)) / progress["num_epochs"]
    return progress["epoch"] / progress["num_epochs"]


def _share_of_epoch(progress: Mapping[str, Any]) -> float:
    """How much of an epoch is done; 0 where nobody knows how many batches it has."""
    return progress["batch"] / progress["num_batches"] if progress["num_batches"] else 0.0
