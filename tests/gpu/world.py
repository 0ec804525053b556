"""An installation with a worker that has the GPUs of this machine, or with `on_cpu` none."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import torch

from fusionq.spec.record import JobRecord
from fusionq.spec.settings import ENV_DATA
from fusionq.spec.states import Outcome
from fusionq.worker.hardware.nvml import Gpu, Meter, Reading, find_gpus
from tests.acceptance.installation import JOBS, Installation
from tests.mnist import MNIST_ROOT


class NotHere(Exception):
    """A check cannot be made on this machine; it says why."""


class World:
    def __init__(self, root: Path, *, on_cpu: bool = False) -> None:
        self.on_cpu = on_cpu
        self.own = Installation(root)
        if not on_cpu:
            del self.own.environ["CUDA_VISIBLE_DEVICES"]
        if MNIST_ROOT is not None:
            self.own.environ[ENV_DATA] = str(MNIST_ROOT)
        self.own.cli("up")
        self.worker: subprocess.Popen[bytes] = self.own.start_worker("gpu")
        self.meter = Meter()

    @property
    def data(self) -> str:
        return "MNIST" if MNIST_ROOT is not None else "digits, for want of MNIST"

    def run(self, file: str, *overrides: str) -> JobRecord:
        """A job of `jobs/`, to its end. Fails where it does not succeed."""
        record = self.own.await_end(self.own.submit(*overrides, file=JOBS / file))
        assert record.outcome is Outcome.SUCCEEDED, record.reason
        return record

    def device_of(self, record: JobRecord) -> str:
        return json.loads((Path(record.run_dir) / "environment.json").read_text())["device"]

    def history(self, record: JobRecord) -> list[dict[str, Any]]:
        return json.loads((Path(record.run_dir) / "history.json").read_text())

    def weights(self, record: JobRecord) -> dict[str, torch.Tensor]:
        [path] = (Path(record.run_dir) / "best_models").glob("*.pth")
        return torch.load(path, weights_only=True, map_location="cpu")

    def assert_on_device(self, record: JobRecord) -> None:
        assert self.on_cpu or self.device_of(record) != "cpu"

    @property
    def gpus(self) -> list[Gpu]:
        if self.on_cpu:
            raise NotHere("needs a GPU")
        return find_gpus("all")

    def read(self, gpu: int = 0) -> Reading:
        return self.meter.read(self.gpus[gpu])

    def close(self) -> None:
        self.own.close()
