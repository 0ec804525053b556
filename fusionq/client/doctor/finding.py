"""One result of an examination."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True)
class Finding:
    """What a check saw: `state` is ok, warning or problem; `hint` is the next step."""

    check: str
    state: str
    message: str
    hint: str = ""


def ok(check: str, message: str) -> Finding:
    """Returns a finding with nothing to do."""
    return Finding(check, OK, message)


def warning(check: str, message: str, hint: str = "") -> Finding:
    """Returns a finding that may be intended, or does harm only later."""
    return Finding(check, WARNING, message, hint)


def problem(check: str, message: str, hint: str = "") -> Finding:
    """Returns a finding that keeps jobs from running, or loses them."""
    return Finding(check, PROBLEM, message, hint)
