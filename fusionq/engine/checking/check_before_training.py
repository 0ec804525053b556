"""The worker's own check of a job, before its process touches a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fusionq.engine.assembly import Job
from fusionq.engine.checking.child import NoAnswerError, run_in_child
from fusionq.engine.checking.dataset_opening import Openings, open_for_check
from fusionq.engine.checking.deep import check_deeply
from fusionq.engine.checking.targets import import_targets
from fusionq.engine.checkpoint import Checkpoints
from fusionq.engine.data.stream import is_stream
from fusionq.errors import CheckError
from fusionq.spec.verdict import Verdict

# A job is not kept from its GPU by a check that hangs, as where a thread is missing in a fork.
LONGEST_S = 30.0


def check_first(job: Job, is_cancelled: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Refuse a job that cannot work. One that has written a checkpoint can, and is not looked at again.

    Returns the data sets that it opened, by their key in `data`. They are opened in this process, as the
    training needs them; all else is done in a child. Raises CheckError.
    """
    import_targets(job.spec)
    if not Checkpoints(job.paths, attempt=job.attempt).is_empty:
        return {}
    opened = open_for_check(job.spec, job.workdir, job.data_root)

    def check() -> dict[str, Any]:
        runs = job.paths.root.parent
        return check_deeply(job.spec, job.workdir, job.data_root, opened, runs).to_data()

    try:
        verdict = Verdict.from_data(run_in_child(check, LONGEST_S, is_cancelled))
    except NoAnswerError:
        return _datasets(opened)  # nothing was found; what ended the check shows in the training
    if verdict.problems:
        messages = [message for _, message in verdict.problems]
        more = len(messages) - 1
        also = f" (and {more} more; `fusionq validate --deep` shows all)" if more else ""
        raise CheckError(messages[0] + also)
    return _datasets(opened)


def _datasets(opened: Openings) -> dict[str, Any]:
    # Not a stream: what the check has drawn may be gone, as from a file that both processes have open.
    datasets = {key: opening.dataset for key, opening in opened.items() if opening.dataset is not None}
    return {key: dataset for key, dataset in datasets.items() if not is_stream(type(dataset))}
