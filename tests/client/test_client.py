"""The queue from Python, without a worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import fusionq
from fusionq import Client, Job
from fusionq.client.metrics import Metrics, read_progress
from fusionq.client.missed_output import log_path
from fusionq.errors import FusionqError, NotFoundError, SpecError, StoreUnavailableError, UsageError
from fusionq.spec.reader import read_text
from fusionq.spec.settings import ENV_HOME, ENV_REDIS_URL
from fusionq.spec.states import Outcome
from fusionq.store.store import Store
from tests.support import ONE_JOB, register, running

EPOCHS = [
    {"kind": "epoch", "epoch": 1, "values": {"train_loss": 0.5}, "duration_s": 1.0},
    {"kind": "progress", "epoch": 2, "values": {"train_loss": 9.0}},
    {"kind": "epoch", "epoch": 2, "values": {"train_loss": 0.4, "test_accuracy": 0.9}, "duration_s": 2.0},
    {"kind": "epoch", "epoch": 2, "values": {"train_loss": 0.3, "test_accuracy": 0.9}, "duration_s": 2.0},
]


@pytest.fixture
def client(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv(ENV_HOME, str(tmp_path / "home"))
    monkeypatch.setenv(ENV_REDIS_URL, store.url)
    monkeypatch.chdir(tmp_path)
    with Client() as client:
        yield client


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(ONE_JOB)
    return path


@pytest.fixture
def job(client: Client, file: Path) -> Job:
    return client.submit(file)


def test_it_is_there_without_torch_or_celery_until_it_is_used():
    assert fusionq.Client is Client
    assert {"Client", "Job"} <= set(dir(fusionq))


def test_a_file_is_queued_with_overrides(client: Client, file: Path, store: Store):
    job = client.submit(file, {"optimizer.lr": 1e-2, "train.epochs": 7, "tags": ["a", "b"], "name": "mine"})
    spec = store.jobs.spec(job.id)
    assert (spec["optimizer"]["lr"], spec["train"]["epochs"], spec["tags"]) == (0.01, 7, ["a", "b"])
    assert (job.name, job.status, job.is_finished, job.progress) == ("mine", "queued", False, 0.0)
    assert job.why() == "no worker is alive; start one: fusionq worker"
    assert client.job(job.id[:4]).id == client.job("mine").id == client.job("last").id == job.id


def test_plain_data_is_queued_too(client: Client):
    data = read_text(ONE_JOB, "x").data
    job = client.submit(data, {"train.epochs": 3})
    assert job.name == "tiny"
    assert "epochs" not in data.get("train", {})  # what was handed over stays as it was


def test_what_is_wrong_is_raised(client: Client, file: Path):
    with pytest.raises(SpecError, match=r"unknown key 'train\.epoch'"):
        client.submit(file, {"train.epoch": 3})
    with pytest.raises(NotFoundError):
        client.job("nothing")
    with pytest.raises(NotFoundError):
        client.submit("gone.yaml")


def test_several_jobs_are_several(client: Client, file: Path):
    swept = {"sweep": {"params": {"train.seed": [1, 2, 3]}}}
    with pytest.raises(UsageError, match="more than one job"):
        client.submit(file, swept)
    jobs = client.submit_all(file, swept)
    assert [job.record.params for job in jobs] == [{"train.seed": 1}, {"train.seed": 2}, {"train.seed": 3}]
    assert [job.id for job in client.jobs()] == [job.id for job in jobs]


def test_it_waits_no_longer_than_it_is_told(job: Job):
    with pytest.raises(TimeoutError, match=r"is not finished after 0\.05 s"):
        job.wait(timeout=0.05)


def test_it_is_held_released_cancelled_and_queued_once_more(job: Job):
    assert job.hold().status == "waiting"
    assert job.release().status == "queued"
    assert job.cancel().status == "cancelled"
    assert job.wait().is_finished
    assert job.why() == "cancelled by the user while it waited"
    assert job.retry().status == "queued"
    with pytest.raises(FusionqError, match="has not ended"):
        job.retry()


def test_its_job_file_changes_until_it_starts(job: Job, store: Store):
    assert job.edit({"queue": "large", "train.epochs": 3}) == ["train.epochs", "queue"]
    assert (job.record.queue, store.jobs.spec(job.id)["train"]["epochs"]) == ("large", 3)
    assert job.edit({"queue": "large"}) == []
    job.cancel()
    with pytest.raises(FusionqError, match="has ended already"):
        job.edit({"queue": "small"})


def test_what_it_says_is_read(job: Job, store: Store):
    register(store, "worker")
    attempt = running(store, job.id)
    store.streams.append_log(job.id, attempt, 0, 3, "one")
    store.streams.append_log(job.id, attempt, 0, 3, "one")  # sent again
    store.streams.append_log(job.id, attempt, 3, 6, "two")
    store.streams.append_points(job.id, EPOCHS)
    assert list(job.logs()) == ["one", "two"]
    assert [row["epoch"] for row in job.metrics()] == [1, 2]
    store.jobs.finish(job.id, attempt, Outcome.SUCCEEDED, "", {"values": {"train_loss": 0.3}})
    assert list(job.logs(follow=True)) == ["one", "two"]
    assert (job.succeeded, job.progress, job.result) == (True, 1.0, {"values": {"train_loss": 0.3}})
    with pytest.raises(NotFoundError, match="no best model"):
        job.model()
    assert repr(job) == f"Job({job.id!r}, 'tiny', succeeded, 100%)"
    assert "<progress" in job._repr_html_()


def test_what_has_not_started_reads_nothing_of_the_current_folder(job: Job, store: Store):
    Path("metrics.jsonl").write_text(json.dumps(EPOCHS[0]) + "\n")
    Path("output.log").write_text("of somebody else\n")
    assert len(job.metrics()) == 0
    assert len(read_progress(store, job.record)) == 0
    for read in (lambda: job.run_dir, lambda: job.download("there"), lambda: log_path(job.record)):
        with pytest.raises(NotFoundError, match="has not started yet"):
            read()


def test_a_redis_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(StoreUnavailableError):
        Client("redis://127.0.0.1:1")


# --- metrics -----------------------------------------------------------------------------------------


def test_each_epoch_is_a_row_and_one_that_was_repeated_counts_once():
    metrics = Metrics.of_points(EPOCHS)
    assert len(metrics) == 2
    assert metrics.names == ["epoch", "train_loss", "duration_s", "test_accuracy"]
    assert metrics.last == {"epoch": 2, "train_loss": 0.3, "test_accuracy": 0.9, "duration_s": 2.0}
    assert metrics.column("train_loss") == [0.5, 0.3]
    assert metrics.column("test_accuracy")[0] != metrics.column("test_accuracy")[0]
    assert metrics.to_csv().splitlines() == [
        "epoch,train_loss,duration_s,test_accuracy",
        "1,0.5,1.0,",
        "2,0.3,2.0,0.9",
    ]
    assert "<th>train_loss</th>" in metrics._repr_html_()


def test_without_an_epoch_there_is_no_row():
    metrics = Metrics()
    assert (len(metrics), metrics.last, metrics.names) == (0, {}, [])


def test_a_table_for_pandas():
    pandas = pytest.importorskip("pandas")
    frame = Metrics.of_points(EPOCHS).to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.loc[2, "test_accuracy"] == 0.9
