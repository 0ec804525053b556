"""One attempt of a job in a process: python -m tests.engine.one_attempt FOLDER ATTEMPT KEY=VALUE…"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from tests.engine.jobs import job_spec, run

if __name__ == "__main__":
    torch.set_num_threads(1)
    run(job_spec(*sys.argv[3:]), Path(sys.argv[1]), attempt=int(sys.argv[2]))
