"""Ray Jobs. Arguments: the address of its dashboard."""

from __future__ import annotations

import os
import shlex
import sys

from ray.job_submission import JobSubmissionClient

from benchmarks.queueing.driver import serve


def main() -> None:
    client = JobSubmissionClient(sys.argv[1])

    def submit(stamp: str) -> None:
        command = shlex.join([sys.executable, "train.py", stamp])
        client.submit_job(entrypoint=f"cd {shlex.quote(os.getcwd())} && {command}", entrypoint_num_cpus=1)

    serve(lambda stamps: [submit(stamp) for stamp in stamps] and None)


if __name__ == "__main__":
    main()
