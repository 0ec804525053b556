"""What the deep check of a job found: plain data, for the command line as for the worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from fusionq.errors import Problem
from fusionq.spec.load import Loaded
from fusionq.spec.printable import printable_data
from fusionq.spec.reader import Path_, dotted
from fusionq.spec.sweep import PARAMS, SWEEP
from fusionq.spec.trials import Trial


@dataclass(frozen=True)
class Verdict:
    """`problems` would end the job, each with its place; a message begins with the place in dotted form.

    `notes` say what could not be checked. `estimate` has whole numbers under `parameters`, `model_bytes`,
    `checkpoint_bytes` and `memory_bytes` (with its parts), as far as they are known.
    """

    problems: list[tuple[Path_, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    estimate: dict[str, Any] = field(default_factory=dict)

    def to_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Verdict:
        """Back from JSON, which knows no tuples."""
        problems = [(tuple(place), message) for place, message in printable_data(data["problems"])]
        return cls(problems, printable_data(data["notes"]), dict(data["estimate"]))


def to_problems(loaded: Loaded, verdicts: Sequence[Verdict]) -> list[Problem]:
    """The problems of a job, or of the trials of a sweep, where they stand in the file.

    What several trials have in common is told once; what some have alone, with the first of them.
    """
    if not loaded.trials:
        return [loaded.source.problem(place, message) for place, message in verdicts[0].problems]
    found: dict[str, tuple[Trial, Path_, int]] = {}
    for trial, verdict in zip(loaded.trials, verdicts, strict=False):
        for place, message in verdict.problems:
            first, where, count = found.get(message, (trial, _in_sweep(trial, place), 0))
            found[message] = (first, where, count + 1)
    return [
        loaded.source.problem(where, message if count == len(verdicts) else f"{message} ({trial})")
        for message, (trial, where, count) in found.items()
    ]


def _in_sweep(trial: Trial, place: Path_) -> Path_:
    """A value that a trial has of its own stands in the sweep."""
    name = dotted(place)
    for key in trial.params:
        if name == key or name.startswith(f"{key}."):
            return (SWEEP, PARAMS, key)
    return place
