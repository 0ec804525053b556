"""Checks several jobs, each on its own: what the code of one leaves behind, no other one finds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from fusionq.engine.checking.child import NoAnswerError, run_in_child
from fusionq.engine.checking.deep import check_deeply
from fusionq.engine.checking.targets import import_targets
from fusionq.engine.user_modules import import_from
from fusionq.spec.job import JobSpec
from fusionq.spec.variables import is_reference, variable_of
from fusionq.spec.verdict import Verdict

VerdictData = dict[str, Any]

RESERVE_S = 0.3


def check_many(
    specs: Sequence[JobSpec],
    workdir: Path,
    path: Sequence[str],
    data_root: Path | None,
    timeout_s: float,
    runs: Path | None = None,
) -> list[VerdictData]:
    """The verdict of each job as plain data, in their order, all within the time limit.

    This process is for nothing else afterwards. `path` goes before `sys.path`; jobs with the same environment
    share one import of the user's modules, and each has a process of its own.
    """
    import_from(path)
    if workdir.is_dir():
        os.chdir(workdir)
    deadline = time.monotonic() + timeout_s
    groups = [list(group) for _, group in groupby(specs, key=lambda spec: spec.env)]
    verdicts: list[VerdictData] = []
    for group in groups:

        def check_group(group: list[JobSpec] = group) -> list[VerdictData]:
            return _check_group(group, partial(_check, workdir, data_root, runs), deadline)

        verdicts += check_group() if len(groups) == 1 else _in_child(check_group, len(group), deadline)
    return verdicts


def _check_group(
    specs: list[JobSpec], check: Callable[[JobSpec], VerdictData], deadline: float
) -> list[VerdictData]:
    os.environ.update(_environment(specs[0]))
    for spec in specs:
        import_targets(spec)
    if len(specs) == 1:
        return [check(specs[0])]
    # Before the group's own time is over, so that the verdicts before it are not lost.
    own_deadline = deadline - RESERVE_S
    return [_in_child(lambda spec=spec: [check(spec)], 1, own_deadline)[0] for spec in specs]


def _check(workdir: Path, data_root: Path | None, runs: Path | None, spec: JobSpec) -> VerdictData:
    return check_deeply(spec, workdir, data_root, runs=runs).to_data()


def _in_child(work: Callable[[], list[VerdictData]], count: int, deadline: float) -> list[VerdictData]:
    try:
        return run_in_child(work, max(0.0, deadline - time.monotonic()))
    except NoAnswerError as error:
        return [Verdict(notes=[f"the deep check gave no answer: {error}"]).to_data()] * count


def _environment(spec: JobSpec) -> dict[str, str]:
    """The job's variables; one of the worker's that is not known here stands for itself."""
    return {
        name: os.environ.get(variable_of(value), value) if is_reference(value) else value
        for name, value in spec.env.items()
    }
