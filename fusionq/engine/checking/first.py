"""The worker's own check of a job, before its process touches a GPU."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from fusionq.engine.assembly import Job
from fusionq.engine.checking.deep import check
from fusionq.engine.checking.targets import import_targets
from fusionq.errors import CheckError


def check_first(job: Job) -> dict[str, Any]:
    """Refuse a job that cannot work, at its first attempt: later ones have passed.

    Returns the data sets that it opened, by their key in `data`. Raises CheckError.
    """
    import_targets(job.spec)
    if job.attempt > 1:
        return {}
    # Constructors that print will do so again when the job is built.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        checked = check(job.spec, job.workdir, job.data_root)
    if checked.verdict.problems:
        messages = [message for _, message in checked.verdict.problems]
        more = len(messages) - 1
        also = f" (and {more} more; `fusionq validate --deep` shows all)" if more else ""
        raise CheckError(messages[0] + also)
    return checked.opened
