"""What carrying a job's output costs, and how soon it is seen: `python -m benchmarks.logs`, three minutes.

(a) A helper of the job prints 50,000 lines a second, in every second epoch into the job's log and in the
others to nowhere: how much longer the training takes with the log. (b) A job says what time it is, and
`fusionq logs -f` tells when that is read: alone, and (c) beside 50,000 other lines a second. All on the
CPU with one thread, on a Redis of its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.queueing.installation import Installation
from benchmarks.queueing.report import HEAD, Row
from fusionq.queue.freezing import freeze
from fusionq.queue.submitting import submit
from fusionq.spec.events import EpochEnd

LINES_PER_S = 50_000
SAMPLES = 60_000  # makes an epoch of a second or so
POLL_S = 1.0
NETWORK = (
    "model={_target_: Sequential, _args_: [{_target_: Linear, in_features: 64, out_features: 512}, "
    "{_target_: ReLU}, {_target_: Linear, in_features: 512, out_features: 10}]}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--epochs", type=int, default=60, help="of (a), half of them with the log")
    parser.add_argument("--seconds", type=float, default=20.0, help="of (b) and (c)")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="fq-") as folder:  # a short path: sockets lie in it
        own = Installation(Path(folder))
        try:
            own.worker()
            for row in _measure(own, arguments):
                print(row, file=sys.stderr, flush=True)
                rows.append(row)
        finally:
            own.close()
    print(f"\ncores {os.cpu_count()}, load at the end {os.getloadavg()[0]:.1f}\n")
    print(HEAD, *rows, sep="\n")


def _measure(own: Installation, arguments: argparse.Namespace) -> Iterator[Row]:
    yield from _slowdown(own, arguments.epochs, arguments.samples)
    for part, rate, beside in (("b", 0, "alone"), ("c", LINES_PER_S, f"beside {LINES_PER_S:,} lines/s")):
        delays = _delays(own, rate, arguments.seconds)
        note = (
            f"{len(delays)} lines; 95 % of them within {statistics.quantiles(delays, n=20)[-1] * 1e3:.0f} ms"
        )
        what = f"print in the job → read from `fusionq logs -f`, {beside}"
        yield Row(part, what, statistics.median(delays) * 1e3, "ms", bar=100.0, note=note)


def _slowdown(own: Installation, epochs: int, samples: int) -> Iterator[Row]:
    """Each pair of neighbours is compared, so that what the machine does meanwhile falls on both."""
    job_id = _submit(
        own,
        f"trainer={{_target_: loud.Loud, lines_per_s: {LINES_PER_S}}}",
        f"train.epochs={epochs + 1}",
        f"data.train.number={samples}",
        NETWORK,
    )
    while not (record := own.store.jobs.get(job_id)).is_finished:
        time.sleep(POLL_S)
    if record.outcome != "succeeded":
        raise SystemExit(f"{job_id}: {record.reason}")
    points = [p for p in own.store.streams.points(job_id) if p["kind"] == EpochEnd.kind]
    seconds = [point["duration_s"] for point in points][1:]  # the first one warms up
    quiet, loud = seconds[0::2], seconds[1::2]
    ratios = [one / other for one, other in zip(loud, quiet, strict=True)]
    told = own.store.streams.log_end(record.id)
    lines_per_s = Path(record.run_dir, "output.log").read_bytes().count(b"\n") / (
        sum(loud) + points[0]["duration_s"]
    )
    pairs = f"median of {len(ratios)} pairs of epochs of {statistics.median(quiet):.2f} s"
    note = f"{lines_per_s:,.0f} lines/s, {told / 1e6:,.0f} MB carried; {pairs}"
    yield Row(
        "a", "training beside so many lines", (statistics.median(ratios) - 1) * 100, "%", bar=1.0, note=note
    )


def _delays(own: Installation, rate: int, seconds: float) -> list[float]:
    """Between the moment that each line names and the one at which it was read."""
    job_id = _submit(
        own,
        f"trainer={{_target_: loud.Loud, lines_per_s: {rate}, is_stamping: true}}",
        "train.epochs=100000",
        f"data.train.number={SAMPLES}",
        NETWORK,
    )
    command = [sys.executable, "-m", "fusionq", "logs", job_id, "-f"]
    delays: list[float] = []
    with subprocess.Popen(
        command, cwd=own.workdir, env=own.environ, stdout=subprocess.PIPE, text=True
    ) as follower:
        assert follower.stdout is not None
        ends_at = time.monotonic() + seconds
        for line in follower.stdout:
            now = time.monotonic()
            if line.startswith("stamp "):
                delays.append(now - float(line.split()[1]))
            if now > ends_at:
                break
        follower.terminate()
    own.cli("cancel", job_id, "--now")
    return delays[len(delays) // 10 :]  # what was printed before it looked is no delay


def _submit(own: Installation, *overrides: str) -> str:
    job = own.job(*overrides)
    frozen = freeze(own.store, own.settings, [job.spec], own.workdir)
    return submit(own.store, own.sender, job.spec, own.workdir, frozen).id


if __name__ == "__main__":
    main()
