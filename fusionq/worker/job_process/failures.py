"""Why a job failed, in one line for the status."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from pathlib import Path

from fusionq.errors import FusionqError
from fusionq.spec.failures import DISK_FULL, ERROR, FAILURES, OOM
from fusionq.spec.printable import one_line, text_of
from fusionq.worker.job_process.failure_class import failure_class, is_lost_peer
from fusionq.worker.job_process.loader_errors import error_in_loader

MOST_OF_A_TEXT = 400  # characters of what the error says; its place comes after it


def explain(error: BaseException, code: str) -> dict[str, str]:
    """Returns the line and the class that decides what follows. `code` is the folder of the user's own code.

    Whatever the error is made of, there is an answer: one that cannot be asked is told by its type.
    """
    try:
        return _explain(error, code)
    except Exception:
        return {"class": ERROR, "reason": type(error).__name__}


def trace_of(error: BaseException) -> str:
    """Returns the traceback as Python prints it, or the little of it that can be printed."""
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        frames = "".join(traceback.format_tb(error.__traceback__))
        return f"Traceback (most recent call last):\n{frames}{type(error).__name__}\n"


def _explain(error: BaseException, code: str) -> dict[str, str]:
    failure = failure_class(error)
    told = error_in_loader(text_of(error))
    if told is not None and isinstance(error, FusionqError):
        return {"class": failure, "reason": one_line(told.text, MOST_OF_A_TEXT)}
    if told is not None and failure != OOM:
        kind = FAILURES[DISK_FULL].words if failure == DISK_FULL else told.kind
        frame = _frame_of_users(told.frames, code)
        return {"class": failure, "reason": _with_place(kind, one_line(told.text, MOST_OF_A_TEXT), frame)}
    text = _first_line(text_of(error))
    if failure == OOM:
        return {"class": failure, "reason": f"out of memory: {text or type(error).__name__}"}
    if is_lost_peer(error):
        return {"class": failure, "reason": f"it lost another rank ({one_line(text, 200)})"}
    if isinstance(error, FusionqError):
        return {"class": failure, "reason": text}
    kind = FAILURES[DISK_FULL].words if failure == DISK_FULL else type(error).__name__
    frame = _frame_of_users(traceback.extract_tb(error.__traceback__), code)
    return {"class": failure, "reason": _with_place(kind, text, frame)}


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return one_line(lines[0], MOST_OF_A_TEXT) if lines else ""


def _with_place(kind: str, text: str, frame: traceback.FrameSummary | None) -> str:
    place = f" ({Path(frame.filename).name}, line {frame.lineno}, in {frame.name})" if frame else ""
    return f"{kind}: {text}{place}" if text else f"{kind}{place}"


def _frame_of_users(frames: Sequence[traceback.FrameSummary], code: str) -> traceback.FrameSummary | None:
    """The innermost line of the user's own code."""
    folders = tuple(folder + os.sep for folder in (code, os.getcwd()) if folder)
    own = [
        frame
        for frame in frames
        if frame.filename.startswith(folders) and "site-packages" not in frame.filename
    ]
    return (own or frames or [None])[-1]
