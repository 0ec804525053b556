"""The queue from Python, with a real worker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fusionq import Client
from fusionq.spec.settings import ENV_HOME
from tests.acceptance.installation import Installation

SAMPLED = """
import os
import fusionq as tf

class Trainer(tf.StandardModel):
    def __init__(self, model):
        super().__init__(model)
        self.samples = self.run_dir / "samples"
        self.samples.mkdir(exist_ok=True)

    def on_training_completed(self, *told):
        names = "FUSIONQ_RUN_DIR", "FUSIONQ_JOB", "FUSIONQ_ATTEMPT"
        (self.samples / "0.txt").write_text(" ".join(os.environ[name] for name in names))
"""
DOCS = Path(__file__).parents[2] / "docs"

pytestmark = pytest.mark.acceptance


@pytest.fixture
def client(shared: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv(ENV_HOME, str(shared.home))
    monkeypatch.delenv("FUSIONQ_REDIS_URL", raising=False)
    with Client() as client:
        yield client


def test_a_job_is_queued_followed_and_used(client: Client, shared: Installation) -> None:
    job = client.submit(shared.job_file, {"train.epochs": 2}, workdir=shared.workdir)
    said = "".join(job.logs(follow=True))
    assert job.wait(timeout=60).succeeded, job.why()
    assert "epoch 2/2" in said
    assert job.metrics().last["epoch"] == 2
    assert 0 < job.metrics().last["test_accuracy"] <= 1
    outputs = job.model()(torch.zeros(3, 1, 8, 8))
    assert outputs.shape == (3, 10)
    assert job.run_dir.is_dir()


def test_where_the_run_folder_is_elsewhere_its_worker_sends_the_files(
    client: Client, shared: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (shared.workdir / "sampled.py").write_text(SAMPLED)
    overrides = {"train.epochs": 1, "trainer": "sampled.Trainer"}
    job = client.submit(shared.job_file, overrides, workdir=shared.workdir).wait(timeout=60)
    monkeypatch.setattr("fusionq.client.download._is_here", lambda root: False)
    found = [file.relative_to(tmp_path) for file in job.download(tmp_path)]
    assert {"job.yaml", "output.log", "samples/0.txt"} <= {str(file) for file in found}
    told = (tmp_path / "samples" / "0.txt").read_text()
    assert told == f"{job.run_dir} {job.id} 1"
    for file in found:
        assert (tmp_path / file).read_bytes() == (job.run_dir / file).read_bytes()
    assert job.model()(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


def test_the_worker_is_there(client: Client, shared: Installation) -> None:
    [worker] = client.workers()
    assert worker.name == "steady"


def test_one_that_runs_is_stopped_and_goes_on(client: Client, shared: Installation) -> None:
    slow = {"train.epochs": 4, "trainer": {"_target_": "trainers.Slow", "seconds": 0.02}}
    job = client.submit(shared.job_file, slow, workdir=shared.workdir)
    shared.await_epochs(job.id, 1)
    assert 0 < job.progress < 1
    assert job.cancel().why() == "cancelled by the user; its state is saved"
    assert job.retry().wait(timeout=60).succeeded
    assert len(job.metrics()) == 4


EXAMPLES = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=["one", "several"])
def test_the_examples_of_the_documentation_run(
    client: Client, shared: Installation, monkeypatch: pytest.MonkeyPatch, example: str
) -> None:
    monkeypatch.chdir(DOCS.parent)
    exec(compile(example, "docs/python.md", "exec"), {})
