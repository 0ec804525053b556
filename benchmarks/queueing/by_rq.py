"""RQ: its client, and (with the argument `worker`) a worker that has imported torch before it forks."""

from __future__ import annotations

import sys

from redis import Redis
from rq import Queue, Worker

from benchmarks.queueing.driver import serve


def main() -> None:
    url, queue, *is_worker = sys.argv[1:]
    connection = Redis.from_url(url)
    if is_worker:
        import tiny  # noqa: F401
        import torch._dynamo  # noqa: F401

        Worker([queue], connection=connection).work(logging_level="WARNING")
        return
    jobs = Queue(queue, connection=connection)
    serve(lambda stamps: [jobs.enqueue("tiny.train", stamp) for stamp in stamps] and None)


if __name__ == "__main__":
    main()
