"""Does something for several jobs that were named, whatever becomes of the single ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fusionq.errors import FusionqError, StateError, StoreUnavailableError


def for_each(job_ids: Iterable[str], act: Callable[[str], None]) -> None:
    """Calls `act` for each job. Raises afterwards what was wrong with some, all of it in one error.

    Raises StoreUnavailableError at once.
    """
    errors: list[FusionqError] = []
    for job_id in job_ids:
        try:
            act(job_id)
        except StoreUnavailableError:
            raise
        except FusionqError as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else StateError("; ".join(error.message for error in errors))
