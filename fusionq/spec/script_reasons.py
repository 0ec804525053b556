"""Sentences for what scripts decide of jobs: they store a code with its arguments, people read a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from fusionq.spec.units import format_duration

_ENDED = {
    "failed": "failed",
    "cancelled": "was cancelled",
    "timed_out": "ran out of time",
    "missing": "is gone",
}


def reason_text(stored: str) -> str:
    """Returns a reason as people read it; one that is no code of a script is a sentence already."""
    if not stored.startswith('["'):
        return stored
    try:
        code, *args = json.loads(stored)
        return SENTENCES[code](*args)
    except (ValueError, KeyError, TypeError, IndexError):
        return stored  # what a program said looks like a code


def _turn(most: int) -> str:
    run = "1 trial of its sweep runs" if most == 1 else f"{int(most)} trials of its sweep run"
    return f"waits for its turn: {run} at once"


def _parents(job_id: str, name: str, more: int, needs_any: bool) -> str:
    first = f"{job_id} ({name})"
    if not more:
        return f"waits for {first}"
    return f"waits for {'one of ' if needs_any else ''}{first} and {int(more)} more"


def _parent_ended(kind: str, job_id: str, name: str, outcome: str) -> str:
    return f"the {kind} that it waits for, {job_id} ({name}), {_ENDED[outcome]}"


def _no_worker(wait_timeout_ms: float) -> str:
    return f"waited longer than {format_duration(wait_timeout_ms / 1000)} for a worker"


SENTENCES: Mapping[str, Callable[..., str]] = {
    "time": "waits for its time".format,
    "turn": _turn,
    "parents": _parents,
    "parent_ended": _parent_ended,
    "no_worker": _no_worker,
    "not_started": "its worker did not start it in time".format,
    "worker_stops": "its worker was told to stop".format,
    "worker_quarantined": "its worker was put into quarantine".format,
    "worker_out_of_order": "the worker {} was out of order".format,
    "cancelled": "cancelled by the user".format,
    "cancelled_and_lost": "cancelled by the user; its worker was lost".format,
    "edited": "its job file was edited".format,
}
"""By the codes that scripts store; each takes the arguments of its code."""
