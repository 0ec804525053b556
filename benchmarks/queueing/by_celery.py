"""Plain Celery with its settings as they come: the app, and its client. Arguments: broker URL, queue."""

from __future__ import annotations

import os
import sys

from celery import Celery

from benchmarks.queueing.driver import serve

app = Celery("plain", broker=os.environ["BENCHMARK_BROKER"])
app.conf.task_default_queue = os.environ["BENCHMARK_QUEUE"]
app.conf.broker_connection_retry_on_startup = True


@app.task(name="train")
def train(stamp: str) -> None:
    sys.path.insert(0, os.getcwd())
    import tiny

    tiny.train(stamp)


if __name__ == "__main__":
    serve(lambda stamps: [train.delay(stamp) for stamp in stamps] and None)
