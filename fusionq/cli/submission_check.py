"""The deep check of a submission: by a worker, which is quick, or here where the person waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fusionq.cli.words import say
from fusionq.errors import FusionqError, SpecError

if TYPE_CHECKING:
    from fusionq.cli.session import Session
    from fusionq.spec.job import JobSpec
    from fusionq.spec.load import Loaded

FEW_TRIALS = 20  # of a sweep, while a person waits


def check_here(session: Session, loaded: Sequence[Loaded]) -> None:
    """However long it takes. Raises SpecError with what was found."""
    from fusionq.cli.deep import look_deeply

    looked = look_deeply(loaded, session.settings)
    if problems := [problem for one in looked for problem in one.problems]:
        raise SpecError(problems)


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
            say(f"deep check skipped: {skipped} (fusionq validate FILE --deep makes it)")
