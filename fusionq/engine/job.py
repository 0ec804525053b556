"""A job from its spec to its result: what the job process runs."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import torch

from fusionq.engine.assembly import Assembly, Job
from fusionq.engine.base_model import BaseModel
from fusionq.engine.callbacks.base import Callback
from fusionq.engine.callbacks.checkpointing import Checkpointing
from fusionq.engine.callbacks.console import EpochLines
from fusionq.engine.callbacks.early_stopping import EarlyStopping
from fusionq.engine.callbacks.files import EpochLog, HistoryFile, MetricPoints
from fusionq.engine.callbacks.models import ModelFiles
from fusionq.engine.callbacks.overridden import overridden_hooks
from fusionq.engine.callbacks.plots import Plots
from fusionq.engine.callbacks.reporting import Report, Reporting
from fusionq.engine.checkpoint import Checkpoints
from fusionq.engine.evaluation import Testing, measured
from fusionq.engine.exporting import check_formats, export_model, model_inputs
from fusionq.engine.files import write_json
from fusionq.engine.history import choose_best
from fusionq.engine.inference import evaluate_job, predict_job
from fusionq.engine.optimizers import build_lr_scheduler, build_optimizer
from fusionq.engine.randomness import derive_seed, seed_everything, use_deterministic_kernels
from fusionq.engine.stopping import StopToken
from fusionq.engine.training import COMPLETED, Training
from fusionq.spec.events import Warned
from fusionq.spec.metric_keys import VAL
from fusionq.spec.printable import one_line
from fusionq.spec.states import Outcome, Status
from fusionq.spec.units import Interval

__all__ = ["Job", "run_job"]


def run_job(
    job: Job, report: Report, stop: StopToken, opened: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Do what the spec's task says, from the last checkpoint if there is one.

    `opened` are data sets that the check of the job opened. Returns the result, or None where it was stopped
    (its state is saved). Raises EngineError.
    """
    began, began_at = time.monotonic(), datetime.now().astimezone()
    seed_everything(job.spec.train.seed)
    if job.spec.train.deterministic:
        use_deterministic_kernels()

    def warn(text: str) -> None:
        print(f"WARNING: {text}", flush=True)
        report(Warned(text))

    assembly = Assembly(job, warn, opened)
    if job.spec.task == "train":
        result = _train(assembly, report, stop)
    elif job.spec.task == "evaluate":
        result = evaluate_job(assembly, stop)
    else:
        result = predict_job(assembly, stop)
    if result is None:
        return None
    result |= {"duration_s": round(time.monotonic() - began, 3), "run_dir": str(job.paths.root)}
    if job.ranks.is_first:
        try:
            write_json(job.paths.result, {**_facts(job, began_at), **result})
        except OSError as error:  # the supervisor is told the result all the same
            warn(f"result.json was not written ({error})")
    return result


def _facts(job: Job, began_at: datetime) -> dict[str, Any]:
    """What result.json says of the job beside its result; times are of this attempt."""
    return {
        "id": job.paths.root.name,
        "name": job.spec.name,
        "state": str(Status.FINISHED),
        "outcome": str(Outcome.SUCCEEDED),
        "task": job.spec.task,
        "attempt": job.attempt,
        "params": dict(job.params),
        "started": began_at.isoformat(timespec="seconds"),
        "finished": datetime.now().astimezone().isoformat(timespec="seconds"),
        "host": socket.gethostname(),
    }


def _train(assembly: Assembly, report: Report, stop: StopToken) -> dict[str, Any] | None:
    spec, job = assembly.spec, assembly.job
    check_formats(spec.export)
    training = _build_training(assembly, report, stop)
    # Opening data may draw numbers, in imports and downloads; training must not depend on it. What is drawn
    # for each sample, as by dropout, must differ between ranks.
    rank = job.ranks.part.index
    seed_everything(derive_seed("training", spec.train.seed, *([rank] if rank else [])))
    # Read by one for all: the others may be on machines that do not see the run folder.
    state = job.ranks.from_first(_checkpoints(job).load_latest) if spec.checkpoint.resume == "auto" else None
    if state is not None:
        training.load_state_dict(state)
        is_over = training.epoch >= training.num_epochs
        place = f"from epoch {training.epoch + 1}, batch {training.batch + 1}"
        print(f"going on {'after the last epoch' if is_over else place}", flush=True)
    if training.run() != COMPLETED:
        where = f"epoch {training.epoch + 1} after batch {training.batch}"
        print(f"stopped in {where}; the state is saved", flush=True)
        return None
    if training.early_end:
        print(f"ended early: {training.early_end}", flush=True)
    return _result(assembly, training)


def _build_training(assembly: Assembly, report: Report, stop: StopToken) -> Training:
    spec = assembly.spec
    train_batches = assembly.train_batches()
    assembly.set_up_steps(train_batches)
    optimizer = build_optimizer(spec.optimizer, assembly.trainer.model.parameters())
    loss, train_metrics, tests = assembly.loss(), assembly.train_metrics(), assembly.tests()
    best = choose_best(
        spec.checkpoint.monitor, spec.checkpoint.mode, measured(assembly.trainer, loss, train_metrics, tests)
    )
    if spec.checkpoint.monitor is None and not best.monitor.startswith(f"{VAL}_"):
        _warn_of_unused(tests, best.monitor, assembly.trainer)
    return Training(
        assembly.trainer,
        train_batches,
        loss,
        optimizer,
        train_metrics,
        tests,
        num_epochs=spec.train.epochs,
        lr_scheduler=build_lr_scheduler(spec.lr_scheduler, optimizer, best.mode),
        steps_lr_per_batch=spec.train.lr_interval == "step",
        monitor=best.monitor,
        mode=best.mode,
        callbacks=_callbacks(assembly, report),
        stop=stop,
        paths=assembly.job.paths,
        ranks=assembly.job.ranks,
        title=spec.name or "",
        params=assembly.job.params,
    )


def _warn_of_unused(tests: Sequence[Testing], monitor: str, trainer: BaseModel) -> None:
    if any(test.phase == VAL for test in tests):
        trainer.stepper.warn(
            f"nothing is measured on data.val, so {monitor} decides which epoch is the best: add metrics.val "
            f"or `loss_fn` and `running_loss` to {type(trainer).__name__}.__eval_function__"
        )


def _callbacks(assembly: Assembly, report: Report) -> list[Callback]:
    spec, paths = assembly.spec, assembly.job.paths
    patience = spec.train.early_stopping
    return [
        # Early stopping first: the checkpoint of the last epoch must know that it is the last. Model files
        # before it: a checkpoint that says "epoch 3 was the best" must find its weights on disk.
        *([EarlyStopping(patience)] if patience else []),
        ModelFiles(paths, spec.checkpoint.save_models, keep_best=spec.checkpoint.keep_best),
        HistoryFile(paths.history),
        EpochLog(paths.epoch_log),
        MetricPoints(paths.metrics),
        *assembly.callbacks(),
        *overridden_hooks(assembly.trainer, BaseModel),
        Checkpointing(_checkpoints(assembly.job), Interval.parse(spec.checkpoint.every)),
        EpochLines(),
        Reporting(report),
        Plots(paths),
    ]


def _checkpoints(job: Job) -> Checkpoints:
    keep = job.spec.checkpoint.keep
    return Checkpoints(job.paths, attempt=job.attempt, fresh_after=job.fresh_after, keep=keep)


def _result(assembly: Assembly, training: Training) -> dict[str, Any]:
    best = training.best
    best_model = assembly.job.paths.best_model(best.epoch or training.epoch) if training.epoch else None
    if not best.is_known and training.ranks.is_first:
        training.stepper.warn(
            f"{best.monitor} was never a number, so no epoch is the best; the last model is kept"
        )
    result: dict[str, Any] = {
        "epochs": training.epoch,
        "best_epoch": best.epoch,
        "monitor": best.monitor,
        "best_value": best.value if best.is_known else None,
        "mode": best.mode,
        "values": training.history.rows[-1] if training.history.rows else {},
        "best_model": str(best_model or ""),
    }
    if training.early_end:
        result["ended_early"] = training.early_end
    if assembly.spec.export and best_model is not None and training.ranks.is_first:
        result |= _export(assembly, training, best_model)
    return result


def _export(assembly: Assembly, training: Training, best_model: Path) -> dict[str, list[str]]:
    """The files that were written, and why others were not: a finished training does not fail for them."""
    model, inputs = assembly.trainer.model, cache(lambda: model_inputs(training))
    files: list[str] = []
    failed: list[str] = []
    for form in assembly.spec.export:
        try:
            model.load_state_dict(torch.load(best_model, map_location="cpu", weights_only=True))
            files.append(str(export_model(model, form, assembly.job.paths, inputs)))
        except Exception as error:
            failed.append(f"{form}: {one_line(f'{type(error).__name__}: {error}', 300)}")
            training.stepper.warn(f"export: {failed[-1]}")
    return {"exports": files, **({"exports_failed": failed} if failed else {})}
