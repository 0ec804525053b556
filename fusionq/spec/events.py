"""What the engine tells the world. Events are plain data and travel as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Event:
    kind: ClassVar[str] = ""

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Started(Event):
    """Training begins (or goes on, when `epoch` or `batch` is not 0)."""

    kind: ClassVar[str] = "started"

    device: str
    num_parameters: int
    num_epochs: int
    num_batches: int  # 0: unknown
    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True)
class Progress(Event):
    """Where training stands within an epoch, about once a second. `epoch` counts from 1."""

    kind: ClassVar[str] = "progress"

    phase: str  # train | test
    epoch: int
    num_epochs: int
    batch: int
    num_batches: int  # 0: unknown
    samples_per_s: float
    eta_s: float
    values: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)  # the best monitored value so far, by its key


@dataclass(frozen=True)
class EpochEnd(Event):
    """An epoch is over. `values` holds every loss and metric of it under its history key."""

    kind: ClassVar[str] = "epoch"

    epoch: int
    num_epochs: int
    duration_s: float
    samples_per_s: float
    is_best: bool
    values: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)  # the best monitored value so far, by its key


@dataclass(frozen=True)
class Warned(Event):
    """Something that the user must know, such as data that was replaced."""

    kind: ClassVar[str] = "warning"

    text: str
