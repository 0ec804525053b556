"""fusionq by its Python functions; the code of every training is frozen anew. Arguments: home."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.queueing.driver import POLL_S, serve
from fusionq.queue.celery_app import make_app
from fusionq.queue.freezing import freeze
from fusionq.queue.sender import Sender
from fusionq.queue.submitting import submit
from fusionq.spec.load import load_file
from fusionq.spec.settings import Settings
from fusionq.store.store import Store


def main() -> None:
    home = Path(sys.argv[1])
    settings = Settings(home=home, runs=home / "runs")
    store = Store.open(settings)
    sender = Sender(make_app(lambda: store.url), store)
    job = load_file("job.yaml", workdir=Path())[0]
    workdir = Path.cwd()

    def submit_all(stamps: list[str]):
        ids = []
        for stamp in stamps:
            spec = job.spec.model_copy(update={"optimizer": {**job.spec.optimizer, "stamp": stamp}})
            frozen = freeze(store, settings, [spec], workdir)
            ids.append(submit(store, sender, spec, workdir, frozen).id)
        return lambda: await_all(ids)

    def await_all(ids: list[str]) -> None:
        for job_id in ids:
            while not (record := store.jobs.get(job_id)).is_finished:
                time.sleep(POLL_S)
            if record.outcome != "succeeded":
                raise SystemExit(f"{job_id}: {record.reason}")

    serve(submit_all)


if __name__ == "__main__":
    main()
