"""`python -m tests.chaos --minutes 10 --seed 1`: exit code 0 where every promise was kept."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from random import Random

from tests.chaos import faults
from tests.chaos.campaign import run
from tests.chaos.table import text_of
from tests.chaos.world import World


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lease", type=float, default=15.0, help="seconds; default: 15, as for users")
    parser.add_argument("--gpu", action="store_true", help="train on the GPUs of this machine")
    by_name = {fault.__name__: fault for fault in faults.ALL}
    parser.add_argument("--only", nargs="+", default=[*by_name], choices=by_name, metavar="FAULT")
    asked = parser.parse_args()
    chosen = [by_name[name] for name in asked.only]
    with tempfile.TemporaryDirectory(prefix="fusionq-chaos-") as folder:
        epochs = max(4, round(2 * asked.lease))  # a job lasts longer than a lease
        world = World(Path(folder), lease_s=asked.lease, epochs=epochs, with_gpu=asked.gpu)
        try:
            world.begin()
            report = run(world, chosen, Random(asked.seed), seconds=asked.minutes * 60)
        except AssertionError:
            print(world.describe(), file=sys.stderr)
            raise
        finally:
            world.close()
    print(text_of(report))
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
