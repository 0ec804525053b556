"""Checks several jobs, each on its own: what the code of one leaves behind, no other one finds."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from fusionq.engine.checking.child import NoAnswerError, run_in_child
from fusionq.engine.checking.deep import check_deeply
from fusionq.engine.checking.targets import import_targets
from fusionq.engine.user_modules import import_from
from fusionq.spec.job import JobSpec
from fusionq.spec.verdict import Verdict

VerdictData = dict[str, Any]

RESERVE_S = 0.3


def check_many(
    specs: Sequence[JobSpec], workdir: Path, path: Sequence[str], data_root: Path | None, timeout_s: float
) -> list[VerdictData]:
    """The verdict of each job as plain data, in their order, all within the time limit.

    `path` goes before `sys.path`. Jobs with the same environment share one import of the user's modules.
    """
    import_from(path)
    if workdir.is_dir():
        os.chdir(workdir)
    deadline = time.monotonic() + timeout_s
    verdicts: list[VerdictData] = []
    for _, group in groupby(specs, key=lambda spec: spec.env):
        verdicts += _check_group(list(group), workdir, data_root, deadline)
    return verdicts


def _check_group(
    specs: list[JobSpec], workdir: Path, data_root: Path | None, deadline: float
) -> list[VerdictData]:
    """In one process that has the environment and the modules of these jobs, a process for each."""

    def check_all() -> list[VerdictData]:
        os.environ.update(specs[0].env)
        for spec in specs:
            import_targets(spec)
        return [_check(spec, workdir, data_root, deadline) for spec in specs]

    try:
        return run_in_child(check_all, _left(deadline))
    except NoAnswerError as error:
        return [_unanswered(error)] * len(specs)


def _check(spec: JobSpec, workdir: Path, data_root: Path | None, deadline: float) -> VerdictData:
    def check() -> VerdictData:
        return check_deeply(spec, workdir, data_root).to_data()

    try:
        # Before the group's own time is over, so that the verdicts before it are not lost.
        return run_in_child(check, _left(deadline) - RESERVE_S)
    except NoAnswerError as error:
        return _unanswered(error)


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _unanswered(error: NoAnswerError) -> VerdictData:
    return Verdict(notes=[f"the deep check gave no answer: {error}"]).to_data()
