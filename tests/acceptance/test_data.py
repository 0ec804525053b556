"""Where the data comes from: the disk, a download, the offline data set. Never silently."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fusionq.spec.settings import ENV_DATA
from fusionq.spec.states import Outcome
from tests.acceptance.installation import JOBS, Installation
from tests.mnist import MNIST_ROOT, needs_mnist

pytestmark = pytest.mark.acceptance

# A proxy that nobody listens on is a network that is not there.
NO_NETWORK = "env={https_proxy: 'http://127.0.0.1:9', http_proxy: 'http://127.0.0.1:9'}"


def test_without_data_and_network_the_offline_data_set_is_used_and_said(shared: Installation) -> None:
    job_id = shared.submit("train.epochs=1", NO_NETWORK, file=JOBS / "mnist.yaml")
    record = shared.await_end(job_id)
    assert record.outcome is Outcome.SUCCEEDED, record.reason
    warning = "TRAINING ON scikit-learn's digits INSTEAD"
    assert warning in record.warning
    assert warning in shared.cli("status", job_id).stdout
    assert warning in shared.cli("logs", job_id).stdout
    environment = json.loads((Path(record.run_dir) / "environment.json").read_text())
    assert warning in environment["data"]


def test_without_an_offline_data_set_the_error_says_where_to_put_the_files(shared: Installation) -> None:
    job_id = shared.submit("train.epochs=1", "data.offline=null", NO_NETWORK, file=JOBS / "mnist.yaml")
    record = shared.await_end(job_id)
    assert record.outcome is Outcome.FAILED
    assert f"MNIST is not in {shared.workdir / 'data'}" in record.reason
    assert f"name the folder that holds them in {ENV_DATA}" in record.reason


@needs_mnist
def test_the_real_mnist_reaches_97_5_percent(installation: Installation) -> None:
    installation.environ[ENV_DATA] = str(MNIST_ROOT)
    overrides = ("train.epochs=8", "lr_scheduler.step_size=5", "resources.cpus=1")
    done = installation.cli("run", str(JOBS / "mnist.yaml"), *overrides, timeout_s=1800)
    assert done.returncode == 0, done.stderr
    result = json.loads(next((installation.home / "runs").glob("*/result.json")).read_text())
    assert result["best_value"] >= 0.975
    assert "warning" not in done.stderr
