"""How long a person waits for a command: `python -m benchmarks.startup`, half a minute.

Whole processes on a Redis of their own that holds 1,000 jobs, interleaved with the import of click and redis,
which no command line on Redis can do without; medians of wall time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.queueing.installation import ROOT, Installation
from benchmarks.queueing.report import HEAD, Row
from fusionq.spec.load import load_job
from fusionq.spec.states import Outcome

JOBS = 1_000
JOB_FILE = ROOT / "jobs" / "digits.yaml"
BASE = "python -c 'import click, redis'"
STATUS = f"fusionq status, of {JOBS:,} jobs"
SUBMIT = "fusionq submit"
COMMANDS = {
    BASE: ["-c", "import click, redis"],
    STATUS: ["-m", "fusionq", "status"],
    "fusionq status -q": ["-m", "fusionq", "status", "-q"],
    "fusionq status --json": ["-m", "fusionq", "status", "--json"],
    "fusionq --help": ["-m", "fusionq", "--help"],
    SUBMIT: ["-m", "fusionq", "submit", str(JOB_FILE)],
}
BARS = {STATUS: 0.25, SUBMIT: 0.5}
MOST_TIMES = 3.0  # the base, for status


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--jobs", type=int, default=JOBS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fq-") as folder:  # a short path: sockets lie in it
        own = Installation(Path(folder))
        try:
            _fill(own, arguments.jobs)
            took = _measure(own, arguments.rounds)
        finally:
            own.close()
    base = took[BASE]
    print(f"\ncores {os.cpu_count()}, load at the end {os.getloadavg()[0]:.1f}\n")
    print(HEAD.replace("times fusionq's", "times the import"))
    for what, seconds in took.items():
        print(Row("", what, seconds, "s", seconds / base, BARS.get(what)))
    print(Row("", STATUS, took[STATUS] / base, "times the import", bar=MOST_TIMES))


def _fill(own: Installation, number: int) -> None:
    """Jobs that ended, and at the end some that wait."""
    store, spec = own.store, load_job(JOB_FILE).to_data()
    fields = {"queue": "default", "priority": 0, "gpus": "auto", "user": "ada"}
    store.workers.register("box", "token", 3600, {"slots": 1, "accepting": 1, "queues": '["default"]'})
    for k in range(number):
        job_id = f"job{k}"
        store.jobs.submit(job_id, spec, {"name": f"digits-{k}", **fields})
        if k < number - 10:
            attempt = store.jobs.assign(job_id, "box", (), 60)
            store.jobs.start(job_id, attempt, 60, "/srv/runs")
            result = {"best_epoch": 3, "monitor": "test_accuracy", "best_value": 0.97}
            store.jobs.finish(job_id, attempt, Outcome.SUCCEEDED, "", result)


def _measure(own: Installation, rounds: int) -> dict[str, float]:
    """The first round fills the caches of the disk and of Python, and does not count."""
    times: dict[str, list[float]] = {what: [] for what in COMMANDS}
    environ = {key: value for key, value in own.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    for number in range(rounds + 1):
        for what, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], env=environ, capture_output=True, check=True)
            if number:
                times[what].append(time.perf_counter() - start)
    return {what: statistics.median(found) for what, found in times.items()}


if __name__ == "__main__":
    main()
