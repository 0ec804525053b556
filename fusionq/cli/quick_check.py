"""The deep check before a submission, as far as it is quick or waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fusionq.errors import SpecError

if TYPE_CHECKING:
    from fusionq.cli.deep import Deep
    from fusionq.cli.session import Session
    from fusionq.spec.load import Loaded


class QuickCheck:
    """The deep check, where torch is here and quick to load, or where the person wants to wait for it.

    It begins at once; what else there is to do goes on beside it.
    """

    def __init__(self, session: Session, loaded: list[Loaded], is_deep: bool = False) -> None:
        from fusionq.queue.deep_pace import Pace

        self._began = time.monotonic()
        self._session = session
        self._loaded = loaded
        self._is_deep = is_deep
        self._pace = Pace(session.settings.home)
        self._check = self._begin()

    def _begin(self) -> Deep | None:
        from fusionq.queue.deep_check import is_possible

        if self._is_deep or not (is_possible() and self._pace.may_be_quick()):
            return None
        from fusionq.cli.deep import FEW_TRIALS, Deep

        return Deep(self._loaded, self._session.settings, FEW_TRIALS)

    def end(self) -> None:
        """Raises SpecError with what was found, as far as it was found in time."""
        from fusionq.queue.deep_pace import QUICK_S

        if self._is_deep:
            from fusionq.cli.deep import look_deeply

            looked = look_deeply(self._loaded, self._session.settings)
        elif self._check is not None:
            looked = self._check.result(max(0.0, self._began + QUICK_S - time.monotonic()))
            self._pace.note(is_quick=looked is not None)
        else:
            return
        problems = [problem for one in looked or () for problem in one.problems]
        if problems:
            raise SpecError(problems)
