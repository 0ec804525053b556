"""What the deep check of a job found: plain data, for the command line as for the worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Place = tuple[str | int, ...]
"""A path in the job file, such as ("model", "_args_", 3)."""


def dotted(place: Place) -> str:
    """The place as people write it: `model._args_.3`."""
    return ".".join(map(str, place))


@dataclass(frozen=True)
class Verdict:
    """`problems` would end the job, each with its place; a message begins with the place in dotted form.

    `notes` say what could not be checked. `estimate` has whole numbers under `parameters`, `model_bytes`,
    `checkpoint_bytes` and `memory_bytes` (with its parts), as far as they are known.
    """

    problems: list[tuple[Place, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    estimate: dict[str, Any] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Verdict:
        """Back from JSON, which knows no tuples."""
        problems = [(tuple(place), message) for place, message in data["problems"]]
        return cls(problems, list(data["notes"]), dict(data["estimate"]))
