"""submitit's local executor. It has no queue: two threads each submit the next when theirs is over."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import submitit

from benchmarks.queueing.driver import await_models, serve


def train(stamp: str) -> None:
    import tiny

    tiny.train(stamp)


def main() -> None:
    executor = submitit.LocalExecutor(folder=sys.argv[1])
    executor.update_parameters(timeout_min=5)

    def run(stamp: str) -> None:
        executor.submit(train, stamp)
        await_models([stamp])

    with ThreadPoolExecutor(max_workers=2) as slots:
        serve(lambda stamps: [slots.submit(run, stamp) for stamp in stamps] and None)


if __name__ == "__main__":
    main()
