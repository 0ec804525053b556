"""Opens the data set that a check takes its sample from, so that nobody needs to open it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusionq.engine.checking.findings import Findings
from fusionq.engine.checking.known_datasets import known_form
from fusionq.engine.checking.sandbox import unchanged
from fusionq.engine.checking.targets import Targets, check_targets
from fusionq.engine.checking.trainers import sends_batches
from fusionq.engine.data.sources import open_present
from fusionq.errors import EngineError
from fusionq.spec.job import JobSpec
from fusionq.spec.reader import dotted


@dataclass(frozen=True)
class Opening:
    """What came of it: a data set, None where it is not on this machine, or what was raised."""

    dataset: Any = None
    error: EngineError | SystemExit | None = None


Openings = Mapping[str, Opening]
"""By the key in `data`."""


def first_key(spec: JobSpec) -> str:
    """The data that the model meets first."""
    return "train" if spec.task == "train" else "test"


def open_dataset(spec: JobSpec, key: str, data_root: Path | None) -> Opening:
    """Open `data.<key>` as it is on this machine; downloads nothing."""
    place = dotted(("data", key))
    try:
        return Opening(open_present(getattr(spec.data, key), place, data_root, spec.train.seed))
    except (EngineError, SystemExit) as error:
        return Opening(error=error)


def open_for_check(spec: JobSpec, workdir: Path, data_root: Path | None) -> Openings:
    """What the check of this job will look at, opened; {} where it needs no data or comes to nothing."""
    findings = Findings()
    with unchanged(workdir):
        targets = check_targets(spec, findings)
        if findings.problems or not _needs_samples(spec, targets):
            return {}
        key = first_key(spec)
        return {key: open_dataset(spec, key, data_root)}


def _needs_samples(spec: JobSpec, targets: Targets) -> bool:
    block = getattr(spec.data, first_key(spec))
    return block is not None and known_form(block) is None and sends_batches(spec, targets, Findings())
