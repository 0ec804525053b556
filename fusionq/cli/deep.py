"""The deep check of what a verb has read: one process for all of it, answers with their place in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from fusionq.errors import Problem, UsageError

if TYPE_CHECKING:
    from fusionq.spec.load import Loaded
    from fusionq.spec.settings import Settings
    from fusionq.spec.verdict import Verdict

MOST_TRIALS = 200  # of a sweep: they differ in few values
PATIENCE_S = 600.0
INSTALL = "pip install 'fusionq[worker]'"


@dataclass(frozen=True)
class Looked:
    """What was found of one document: its verdicts, for a sweep of its first trials."""

    loaded: Loaded
    verdicts: list[Verdict]

    @property
    def problems(self) -> list[Problem]:
        from fusionq.spec.verdict import to_problems

        return to_problems(self.loaded, self.verdicts)

    @property
    def notes(self) -> list[str]:
        """What could not be checked, each once."""
        notes = dict.fromkeys(note for verdict in self.verdicts for note in verdict.notes)
        left = len(self.loaded.jobs) - len(self.verdicts)
        return [*notes, *([f"the other {left:,} trials were not looked at so closely"] if left else [])]

    @property
    def estimate(self) -> dict[str, int]:
        """The numbers of the job, of a sweep those of its largest trial."""
        return max((verdict.estimate for verdict in self.verdicts), key=_size, default={})


def look_deeply(loaded: Sequence[Loaded], settings: Settings) -> list[Looked]:
    """Wait for the whole of it. Raises UsageError where it cannot be done."""
    from fusionq.queue.deep_check import DeepCheck, is_possible
    from fusionq.queue.work_folder import work_folder

    if not is_possible():
        raise UsageError("the deep check needs torch, which is not installed here", hint=INSTALL)
    jobs = [(one, one.jobs[:MOST_TRIALS]) for one in loaded]
    workdir = work_folder()
    specs = [spec for _, its in jobs for spec in its]
    folders = [workdir / spec.code.path for spec in specs if not isinstance(spec.code, str)]
    check = DeepCheck()
    try:
        check.start(specs, workdir, settings.data, list(dict.fromkeys(folders)))
        verdicts = check.result(PATIENCE_S)
    finally:
        check.stop()
    if verdicts is None:
        raise UsageError("the deep check did not end in time", hint="the worker repeats it before it trains")
    answers = iter(verdicts)
    return [Looked(one, list(islice(answers, len(its)))) for one, its in jobs]


def estimate_text(estimate: dict[str, int]) -> str:
    """The numbers in words; empty where none is known."""
    from fusionq.spec.units import format_bytes

    parts = []
    if "parameters" in estimate:
        weights = format_bytes(estimate["model_bytes"])
        parts.append(f"{estimate['parameters']:,} parameters ({weights})")
    if "checkpoint_bytes" in estimate:
        parts.append(f"a checkpoint of {format_bytes(estimate['checkpoint_bytes'])}")
    if "memory_bytes" in estimate:
        memory = format_bytes(estimate["memory_bytes"])
        parts.append(f"about {memory} of memory at a batch size of {estimate['batch_size']}")
    return ", ".join(parts)


def _size(estimate: dict[str, int]) -> int:
    return estimate.get("memory_bytes") or estimate.get("model_bytes") or 0
