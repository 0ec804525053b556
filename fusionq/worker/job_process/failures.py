"""Why a job failed, in one line for the status."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

from fusionq.errors import FusionqError
from fusionq.spec.failures import DISK_FULL, FAILURES, OOM
from fusionq.worker.job_process.failure_class import failure_class, is_lost_peer


def explain(error: BaseException, code: str) -> dict[str, str]:
    """The line, and the class that decides what follows. `code` is the folder of the user's own code."""
    failure = failure_class(error)
    if failure == OOM:
        return {"class": failure, "reason": f"out of memory: {_one_line(str(error)) or type(error).__name__}"}
    if is_lost_peer(error):
        return {"class": failure, "reason": f"it lost another rank ({_one_line(str(error))[:200]})"}
    if isinstance(error, FusionqError):
        return {"class": failure, "reason": _one_line(str(error))}
    text = _one_line(str(error))
    kind = FAILURES[DISK_FULL].words if failure == DISK_FULL else type(error).__name__
    return {
        "class": failure,
        "reason": f"{kind}: {text}{_place(error, code)}" if text else f"{kind}{_place(error, code)}",
    }


def _one_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[0][:500] if lines else ""


def _place(error: BaseException, code: str) -> str:
    """The innermost line of the user's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    folders = tuple(folder + os.sep for folder in (code, os.getcwd()) if folder)
    own = [
        frame
        for frame in frames
        if frame.filename.startswith(folders) and "site-packages" not in frame.filename
    ]
    frame = (own or frames or [None])[-1]
    return f" ({Path(frame.filename).name}, line {frame.lineno}, in {frame.name})" if frame else ""
