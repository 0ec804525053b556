"""What is checked of jobs before they are queued or changed: deeply, and whether a worker could run them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fusionq.cli.words import say
from fusionq.errors import FusionqError, SpecError

if TYPE_CHECKING:
    from fusionq.cli.session import Session
    from fusionq.queue.current_spec import CurrentSpec
    from fusionq.spec.job import JobSpec
    from fusionq.spec.load import Loaded

FEW_TRIALS = 20  # of a sweep, while a person waits
MOST_WARNINGS = 5  # of a file of many jobs


def check_here(session: Session, loaded: Sequence[Loaded]) -> None:
    """However long it takes. Raises SpecError with what was found."""
    from fusionq.cli.deep import look_deeply

    looked = look_deeply(loaded, session.settings)
    if problems := [problem for one in looked for problem in one.problems]:
        raise SpecError(problems)


def check_change(session: Session, current: CurrentSpec, loaded: Loaded) -> None:
    """The check of a job file that was changed, with the code of its job. Raises SpecError."""
    record = current.record
    CheckByWorker(session, Path(record.workdir))([(loaded, [loaded.spec], record.code)])


class CheckByWorker:
    """What `submit_all` calls before it stores anything. It refuses a job, or says why it was not checked."""

    def __init__(self, session: Session, workdir: Path) -> None:
        self._session = session
        self._workdir = workdir

    def __call__(self, documents: Sequence[tuple[Loaded, Sequence[JobSpec], str]]) -> None:
        """Raises SpecError with what was found."""
        from fusionq.queue.worker_check import Question, WorkerCheck
        from fusionq.spec.verdict import to_problems

        check = WorkerCheck(self._session.store, self._session.sender, self._workdir)
        problems, skipped = [], ""
        for loaded, specs, code in documents:
            try:
                checked = check.of(Question(specs[:FEW_TRIALS], code))
            except FusionqError as error:
                skipped = str(error)
                break
            if skipped := checked.skipped:
                break  # it would be so for the others too
            problems += to_problems(loaded, checked.verdicts)
        if problems:
            raise SpecError(problems)
        if skipped:
            say(f"deep check skipped: {skipped} (to make it: fusionq validate FILE --deep)")


def warn_never(session: Session, specs: Iterable[JobSpec]) -> None:
    """Says which jobs no living worker could ever run, and why; once for each need."""
    from fusionq.queue.reasons import why_never
    from fusionq.queue.submitting import need_of_spec

    needs = {need_of_spec(spec): spec.name for spec in specs}
    view = session.store.view()
    reasons = {reason: name for need, name in needs.items() if (reason := why_never(need, view))}
    for reason, name in list(reasons.items())[:MOST_WARNINGS]:
        say(f"{name} {reason}" if reason.startswith("needs") else reason)
