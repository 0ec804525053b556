"""The deep check as a process of its own, for the command line, which never imports torch.

Reads {"jobs": [{"spec": {…}}, …], "workdir": "…", "path": […], "data_root": "…" or null, "timeout_s": …} from
stdin and writes {"verdicts": […], "took_s": …} to stdout.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from fusionq.spec.load import parse_job
from fusionq.spec.printable import one_line, text_of
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
    os._exit(0)


def _take_stdout() -> int:
    """The descriptor for the answer alone; prints, also those of C code and children, go to stderr."""
    answer = os.dup(1)
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)  # nobody is there to answer a question
    os.close(null)
    return answer


def _verdicts(asked: dict[str, Any]) -> list[dict[str, Any]]:
    root = Path(asked["data_root"]) if asked.get("data_root") else None
    workdir = Path(asked["workdir"])
    try:
        # Before the user's folder is on the path: a random.py in it is for the user alone.
        from fusionq.engine.checking.several_jobs import check_many

        specs = [parse_job(job["spec"]) for job in asked["jobs"]]
        path = [str(workdir), *asked.get("path", [])]
        return check_many(specs, workdir, path, root, asked["timeout_s"])
    except Exception as error:
        note = f"the check ended early ({type(error).__name__}: {one_line(text_of(error), 300)})"
        return [Verdict(notes=[note]).to_data() for _ in asked["jobs"]]


if __name__ == "__main__":
    main()
