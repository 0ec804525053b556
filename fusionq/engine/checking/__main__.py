"""The deep check as a process of its own, for the command line, which never imports torch.

Reads {"jobs": [{"spec": {…}}, …], "workdir": "…", "path": […], "data_root": "…" or null} from stdin and
writes {"verdicts": […], "took_s": …} to stdout. Whatever a user's code prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from fusionq.spec.load import parse_job
from fusionq.spec.verdict import Verdict


def main() -> None:
    began = time.perf_counter()
    asked = json.loads(sys.stdin.read())
    answer = _take_stdout()
    verdicts = _verdicts(asked)
    text = json.dumps({"verdicts": verdicts, "took_s": round(time.perf_counter() - began, 3)})
    with os.fdopen(answer, "w", encoding="utf-8") as handle:
        handle.write(text)
    sys.stderr.flush()
    os._exit(0)  # what a user's code has left behind, such as a thread, must not keep us


def _take_stdout() -> int:
    """The descriptor for the answer alone; prints, also those of C code and children, go to stderr."""
    answer = os.dup(1)
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)  # nobody is there to answer a question
    os.close(null)
    return answer


def _verdicts(asked: dict[str, Any]) -> list[dict[str, Any]]:
    workdir = Path(asked["workdir"])
    root = Path(asked["data_root"]) if asked.get("data_root") else None
    try:
        # Before the user's folder is on the path: a random.py in it is for the user alone.
        from fusionq.engine.checking import check_deeply
    except Exception as error:
        return [_ended_early(error) for _ in asked["jobs"]]
    sys.path[:0] = [str(workdir), *asked.get("path", [])]
    if workdir.is_dir():
        os.chdir(workdir)
    verdicts = []
    for job in asked["jobs"]:
        try:
            verdicts.append(check_deeply(parse_job(job["spec"]), workdir, root).to_data())
        except BaseException as error:
            verdicts.append(_ended_early(error))
    return verdicts


def _ended_early(error: BaseException) -> dict[str, Any]:
    text = " ".join(str(error).split())[:300]
    return Verdict(notes=[f"the check ended early ({type(error).__name__}: {text})"]).to_data()


if __name__ == "__main__":
    main()
