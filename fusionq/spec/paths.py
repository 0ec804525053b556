"""The run folder, and where code is kept. The names of these files are spelled here alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ENV_RUN_DIR = "FUSIONQ_RUN_DIR"
"""Tells the processes of a job where its run folder is."""
MOST_NAME_BYTES = 200


def artifact_file(runs: Path, digest: str) -> Path:
    """Where an archive of code lies that is too large for Redis."""
    return runs / ".artifacts" / digest


def code_cache(home: Path) -> Path:
    """Where a worker unpacks code, a folder for each digest."""
    return home / "cache" / "code"


@dataclass(frozen=True)
class RunPaths:
    """Everything that a job leaves behind lies under `root`, and is readable without fusionq."""

    root: Path

    @classmethod
    def of_job(cls, runs: Path, job_id: str) -> RunPaths:
        return cls(runs / job_id)

    @property
    def job_file(self) -> Path:
        return self.root / "job.yaml"

    @property
    def record(self) -> Path:
        """The job's record as its worker keeps it, for a Redis that loses its data."""
        return self.root / "record.json"

    @property
    def output_log(self) -> Path:
        return self.root / "output.log"

    @property
    def ranks(self) -> Path:
        return self.root / "ranks"

    def rank_log(self, rank: int) -> Path:
        """What a process of a job of several prints; that of rank 0 is the output log."""
        return self.ranks / f"rank-{rank}.log"

    def node_log(self, node: int) -> Path:
        """What the process says that leads the ranks of a job on another worker than the first."""
        return self.ranks / f"node-{node}.log"

    @property
    def epoch_log(self) -> Path:
        return self.root / "logs.txt"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.jsonl"

    @property
    def history(self) -> Path:
        return self.root / "history.json"

    @property
    def environment(self) -> Path:
        return self.root / "environment.json"

    @property
    def result(self) -> Path:
        return self.root / "result.json"

    @property
    def all_models(self) -> Path:
        return self.root / "all_models"

    @property
    def best_models(self) -> Path:
        return self.root / "best_models"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def plots(self) -> Path:
        return self.root / "plots"

    @property
    def metrics_csv(self) -> Path:
        return self.root / "metrics.csv"

    @property
    def tensorboard(self) -> Path:
        return self.root / "tensorboard"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    @property
    def predictions_npz(self) -> Path:
        return self.root / "predictions.npz"

    @property
    def predictions_csv(self) -> Path:
        return self.root / "predictions.csv"

    def model_of_epoch(self, epoch: int) -> Path:
        return self.all_models / f"model_{epoch}.pth"

    def best_model(self, epoch: int) -> Path:
        return self.best_models / f"model_{epoch}.pth"

    def checkpoint(self, attempt: int, epoch: int, batch: int) -> Path:
        return self.checkpoints / f"attempt-{attempt:04d}-epoch-{epoch:06d}-batch-{batch:08d}.pt"

    def plot(self, name: str) -> Path:
        # A file name has 255 bytes at most, and a letter up to four of them.
        return self.plots / f"{name.encode()[:MOST_NAME_BYTES].decode(errors='ignore')}.png"
