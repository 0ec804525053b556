"""What the queue costs, against other queues: `python -m benchmarks.queue`, about ten minutes.

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
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

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
    parser.add_argument("--quick", action="store_true", help="shows that it works; its figures mean nothing")
    parser.add_argument("--output", type=Path, default=Path("benchmark-queue.json"))
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - {*PARTS, ","}:
        parser.error(f"--only: there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return arguments


def _measure(arguments: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """The trainings first, all on the same warm workers; then what needs none, in a Redis of its own."""
    wanted = set(arguments.only)
    for parts, name, measure in (("abfg", "trainings", _trainings), ("cdef", "costs", _costs)):
        if not wanted & set(parts):
            continue
        own = Installation(folder / name)
        try:
            yield from (row for row in measure(own, arguments) if row.part in wanted)
        finally:
            own.close()


def _trainings(own: Installation, arguments: argparse.Namespace) -> Iterator[Row]:
    wanted = set(arguments.only)
    if wanted & {"a", "b"}:
        yield from _race(own, arguments)
    if "f" in wanted:
        yield lives.succeeded(own)
    if "g" in wanted:
        yield from lives.measure(own, lives.SMALL if arguments.quick else lives.Spell())


def _costs(own: Installation, arguments: argparse.Namespace) -> Iterator[Row]:
    yield from costs.measure(own, costs.SMALL if arguments.quick else costs.Size())


def _race(own: Installation, arguments: argparse.Namespace) -> Iterator[Row]:
    length = races.Length(arguments.rounds, arguments.jobs, arguments.few)
    field = Field(own, own.home.parent, Peers("queue-peers"))
    try:
        with_peers = not (arguments.no_peers or arguments.quick)
        yield from races.race(field, races.SMALL if arguments.quick else length, with_peers=with_peers)
    finally:
        field.close()


def _machine() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "torch": version("torch"),
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load at the end": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    main()
