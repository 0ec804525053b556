"""A job from its spec to its result: what the job process runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusionq.engine.base_model import BaseModel
from fusionq.engine.build import build, build_arguments, call, find_target
from fusionq.engine.callbacks.checkpointing import Checkpointing
from fusionq.engine.callbacks.console import EpochLines
from fusionq.engine.callbacks.files import EpochLog, HistoryFile, MetricPoints
from fusionq.engine.callbacks.models import ModelFiles
from fusionq.engine.callbacks.plots import Plots
from fusionq.engine.callbacks.reporting import Report, Reporting
from fusionq.engine.checkpoint import Checkpoints
from fusionq.engine.data.loading import build_transforms, make_batches
from fusionq.engine.data.sources import open_datasets
from fusionq.engine.environment import describe_environment
from fusionq.engine.files import write_json
from fusionq.engine.optimizers import build_lr_scheduler, build_optimizer
from fusionq.engine.randomness import seed_everything, use_deterministic_kernels
from fusionq.engine.stopping import StopToken
from fusionq.engine.training import COMPLETED, Training
from fusionq.errors import TargetError
from fusionq.spec.events import Warned
from fusionq.spec.job import JobSpec
from fusionq.spec.paths import RunPaths
from fusionq.spec.targets import TARGET
from fusionq.spec.units import Interval


@dataclass(frozen=True)
class Job:
    """What an attempt needs to know. `data_root` is the worker's folder of data sets."""

    spec: JobSpec
    paths: RunPaths
    attempt: int
    workdir: Path
    data_root: Path | None = None


def run_job(job: Job, report: Report, stop: StopToken) -> dict[str, Any] | None:
    """Train as the spec says, from the last checkpoint if there is one.

    Returns the result, or None where it was stopped (its state is saved). Raises EngineError.
    """
    began = time.monotonic()
    seed_everything(job.spec.train.seed)
    if job.spec.train.deterministic:
        use_deterministic_kernels()
    training = _build_training(job, report, stop)
    checkpoints = _checkpoints(job)
    state = checkpoints.load_latest() if job.spec.checkpoint.resume == "auto" else None
    if state is not None:
        training.load_state_dict(state)
        print(f"going on from epoch {training.epoch + 1}, batch {training.batch + 1}", flush=True)
    if training.run() != COMPLETED:
        print(
            f"stopped in epoch {training.epoch + 1} after batch {training.batch}; the state is saved",
            flush=True,
        )
        return None
    result = _result(job, training, time.monotonic() - began)
    write_json(job.paths.result, result)
    return result


def _build_training(job: Job, report: Report, stop: StopToken) -> Training:
    spec = job.spec
    trainer = _build_trainer(spec)

    def warn(text: str) -> None:
        print(f"WARNING: {text}", flush=True)
        report(Warned(text))

    datasets = open_datasets(spec.data, job.data_root, warn)
    write_json(
        job.paths.environment,
        describe_environment(job.workdir, trainer.device, spec.train.seed, datasets.note),
    )
    transforms = build_transforms(spec.data)
    seed = spec.train.seed
    train = make_batches(datasets.train, transforms, spec.data, trainer.device, shuffle=True, seed=seed)
    test = None
    if datasets.test is not None:
        test = make_batches(datasets.test, transforms, spec.data, trainer.device, shuffle=False, seed=seed)
    optimizer = build_optimizer(spec.optimizer, trainer.model.parameters())
    return Training(
        trainer,
        train,
        build(spec.loss, "loss").to(trainer.device),
        optimizer,
        [build(block, f"metrics.train.{i}") for i, block in enumerate(spec.metrics.train)],
        test,
        [build(block, f"metrics.test.{i}") for i, block in enumerate(spec.metrics.test)],
        num_epochs=spec.train.epochs,
        lr_scheduler=build_lr_scheduler(spec.lr_scheduler, optimizer),
        monitor=spec.checkpoint.monitor,
        mode=spec.checkpoint.mode,
        callbacks=[
            # Model files first: a checkpoint that says "epoch 3 was the best" must find its weights on disk.
            ModelFiles(job.paths, spec.checkpoint.save_models),
            HistoryFile(job.paths.history),
            EpochLog(job.paths.epoch_log),
            MetricPoints(job.paths.metrics),
            Checkpointing(_checkpoints(job), Interval.parse(spec.checkpoint.every)),
            EpochLines(),
            Reporting(report),
            Plots(job.paths),
        ],
        stop=stop,
    )


def _build_trainer(spec: JobSpec) -> BaseModel:
    model = build(spec.model, "model")
    name = spec.trainer[TARGET]
    trainer_class = find_target(name, "trainer")
    if not (isinstance(trainer_class, type) and issubclass(trainer_class, BaseModel)):
        raise TargetError(f"trainer: {name} is not a class that extends fusionq.BaseModel")
    args, kwargs = build_arguments(spec.trainer, "trainer")
    return call(trainer_class, "trainer", (model, *args), kwargs)


def _checkpoints(job: Job) -> Checkpoints:
    return Checkpoints(job.paths, attempt=job.attempt, keep=job.spec.checkpoint.keep)


def _result(job: Job, training: Training, duration_s: float) -> dict[str, Any]:
    best = training.best
    return {
        "epochs": training.epoch,
        "best_epoch": best.epoch,
        "monitor": best.monitor,
        "best_value": best.value,
        "values": training.history.rows[-1] if training.history.rows else {},
        "duration_s": round(duration_s, 3),
        "best_model": str(job.paths.best_model(best.epoch)) if best.epoch else "",
        "run_dir": str(job.paths.root),
    }
