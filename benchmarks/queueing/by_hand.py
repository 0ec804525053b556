"""`python train.py`, two at a time where there are more."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from benchmarks.queueing.driver import serve


def train(stamp: str) -> None:
    subprocess.run([sys.executable, "train.py", stamp], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    with ThreadPoolExecutor(max_workers=2) as slots:
        serve(lambda stamps: [slots.submit(train, stamp) for stamp in stamps] and None)


if __name__ == "__main__":
    main()
