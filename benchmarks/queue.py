"""What the queue costs, against other queues: `python -m benchmarks.queue`, about six minutes.

(a) submit to the first training step on a warm worker, (b) trainings per minute, (c) submitting, (d) a
scheduling pass, (e) looking, (f) bytes in Redis, (g) cancelling, dying and idling. All run on the CPU with
one thread each, in a folder and on Redis servers of their own. In (a) the contestants take turns, so that
whatever else the machine does falls on all of them. The peers are installed into an environment that the
benchmark makes beside the present one, from which it borrows torch; those that cannot be installed are
named with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from benchmarks.peers import Peers
from benchmarks.queueing import costs, lives, races
from benchmarks.queueing.contestants import Field
from benchmarks.queueing.installation import Installation
from benchmarks.queueing.report import HEAD, Row

PARTS = "abcdefg"


def main() -> None:
    arguments = _arguments()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="fq-") as folder:  # a short path: sockets lie in it
        for row in _measure(arguments, Path(folder)):
            print(row, file=sys.stderr, flush=True)
            rows.append(row)
    rows.sort(key=lambda row: row.part)  # stable
    machine = _machine()
    print("\n" + ", ".join(f"{key} {value}" for key, value in machine.items()) + "\n")
    print(HEAD, *rows, sep="\n")
    report = {"machine": machine, "rows": [row.to_json() for row in rows]}
    arguments.output.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\n{arguments.output}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--only", default=PARTS, help="parts, such as a,d")
    parser.add_argument("--rounds", type=int, default=7, help="of (a)")
    parser.add_argument("--jobs", type=int, default=200, help="of (b)")
    parser.add_argument("--few", type=int, default=12, help="the same for who starts a Python for each")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--small", action="store_true", help="shows that it works; its figures mean nothing")
    parser.add_argument("--output", type=Path, default=Path("benchmark-queue.json"))
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - {*PARTS, ","}:
        parser.error(f"--only: there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return arguments


def _measure(arguments: argparse.Namespace, folder: Path) -> Iterator[Row]:
    wanted = set(arguments.only)
    stages: list[tuple[str, str, Callable[[Installation], Iterator[Row]]]] = [
        ("ab", "race", lambda own: _race(own, arguments)),
        ("cdef", "costs", lambda own: costs.measure(own, costs.SMALL if arguments.small else costs.Size())),
        ("g", "lives", lambda own: lives.measure(own, lives.SMALL if arguments.small else lives.Spell())),
    ]
    for parts, name, measure in stages:
        if not wanted & set(parts):
            continue
        own = Installation(folder / name)
        try:
            yield from (row for row in measure(own) if row.part in wanted)
        finally:
            own.close()


def _race(own: Installation, arguments: argparse.Namespace) -> Iterator[Row]:
    length = races.Length(arguments.rounds, arguments.jobs, arguments.few)
    field = Field(own, own.home.parent, Peers("queue-peers"))
    try:
        with_peers = not (arguments.no_peers or arguments.small)
        yield from races.race(field, races.SMALL if arguments.small else length, with_peers=with_peers)
        yield costs.finished(own)
    finally:
        field.close()


def _machine() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load at the end": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    main()
