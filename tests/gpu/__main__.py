"""`python -m tests.gpu`: every check on the GPUs of this machine, as a table; with `--cpu` that they work."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch

from tests.gpu.checks import CHECKS, Check
from tests.gpu.world import NotHere, World


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    by_name = {check.__name__: check for check in CHECKS}
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--only", nargs="+", default=[*by_name], choices=by_name, metavar="CHECK")
    asked = parser.parse_args()
    if not asked.cpu and not torch.cuda.is_available():
        print("no GPU that torch can use; --cpu shows that the checks work", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="fusionq-gpu-") as folder:
        world = World(Path(folder), on_cpu=asked.cpu)
        try:
            print(f"{'the CPU' if asked.cpu else torch.cuda.get_device_name()}, torch {torch.__version__}")
            verdicts = [_make(by_name[name], world) for name in asked.only]
        finally:
            world.close()
    return 0 if all(verdicts) else 1


def _make(check: Check, world: World) -> bool:
    began = time.monotonic()
    try:
        verdict, words = "ok", check(world)
    except NotHere as error:
        verdict, words = "not run", str(error)
    except AssertionError as error:
        verdict, words = "FAILED", " ".join(str(error).split())[:200]
    name = check.__name__.replace("_", " ")
    print(f"{name:32} {verdict:8} {time.monotonic() - began:6.1f} s  {words}", flush=True)
    return verdict != "FAILED"


if __name__ == "__main__":
    sys.exit(main())
