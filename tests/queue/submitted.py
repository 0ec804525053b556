"""What was put into the queue, by its id alone."""

from __future__ import annotations

from typing import Any

from fusionq.queue import submitting


def submit(*args: Any, **kwargs: Any) -> str:
    return submitting.submit(*args, **kwargs).id


def submit_sweep(*args: Any, **kwargs: Any) -> str:
    return submitting.submit_sweep(*args, **kwargs).id
