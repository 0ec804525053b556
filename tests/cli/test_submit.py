"""`submit` prints the id alone, and beside it what to do next."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Cli
from tests.cli.jobs import serving


def test_the_id_is_all_that_is_printed_on_stdout(cli: Cli, store, job_file: Path):
    done = cli("submit", job_file)
    assert done.code == 0
    job_id = done.out.strip()
    assert done.out == f"{job_id}\n"
    assert store.jobs.get(job_id).workdir == str(Path.cwd())
    for next_step in (f"fusionq logs {job_id} -f", f"fusionq status {job_id}", f"fusionq cancel {job_id}"):
        assert next_step in done.err


def test_overrides_go_on_top_of_the_file(cli: Cli, store, job_file: Path):
    job_id = cli("submit", job_file, "optimizer.lr=1e-2", "train.epochs=7").out.strip()
    assert store.jobs.spec(job_id)["optimizer"]["lr"] == 0.01
    assert store.jobs.spec(job_id)["train"]["epochs"] == 7


def test_without_a_worker_it_says_how_to_start_one(cli: Cli, store, job_file: Path):
    assert cli("submit", job_file).err.endswith("start one: fusionq worker\n")
    assert cli("submit", job_file, "queue=big").err.endswith("start one: fusionq worker --queues big\n")
    serving(store)
    assert "start one" not in cli("submit", job_file).err


def test_a_scheduling_pass_is_asked_for(cli: Cli, store, job_file: Path):
    cli("submit", job_file)
    assert store.redis.llen("fusionq:celery:schedule") == 1
