"""The parts of a job, built as its spec says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from fusionq.engine.base_model import BaseModel
from fusionq.engine.build import build, build_arguments, call, find_target
from fusionq.engine.callbacks.base import Callback
from fusionq.engine.data.batches import Batches
from fusionq.engine.data.loading import BatchMaker
from fusionq.engine.data.sources import Datasets, open_datasets
from fusionq.engine.data.split import split
from fusionq.engine.data.stream import is_stream
from fusionq.engine.data.stream_settings import stream_mistakes
from fusionq.engine.environment import describe_environment
from fusionq.engine.eval_hook import no_loss
from fusionq.engine.evaluation import Testing
from fusionq.engine.files import write_json
from fusionq.engine.metrics import Metric
from fusionq.engine.ranks import ALONE, Ranks
from fusionq.engine.shared_model import synced_batch_norm
from fusionq.engine.stepping import StepOptions, Stepper
from fusionq.engine.torchmetrics_adapter import TorchMetric, is_torchmetric
from fusionq.engine.weights import load_weights
from fusionq.errors import DataError, TargetError
from fusionq.spec.job import JobSpec
from fusionq.spec.metric_keys import TEST, VAL
from fusionq.spec.paths import RunPaths
from fusionq.spec.targets import FROM, TARGET, without_loading
from fusionq.spec.units import Interval


@dataclass(frozen=True)
class Job:
    """What an attempt needs to know. `data_root` is the worker's folder of data sets, and `provenance` goes
    into environment.json: which code it is that runs.
    """

    spec: JobSpec
    paths: RunPaths
    attempt: int
    workdir: Path
    fresh_after: int = 0  # go on from no checkpoint of these attempts
    data_root: Path | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    ranks: Ranks = ALONE

    @property
    def params(self) -> Mapping[str, Any]:
        """What the sweep of the job changed for it."""
        return self.provenance.get("params") or {}


class Assembly:
    """Builds in the order in which it is asked, so that the same seed gives the same weights.

    `opened` are data sets that somebody had to open before, by their key in `data`.
    """

    def __init__(
        self, job: Job, warn: Callable[[str], None], opened: Mapping[str, Dataset] | None = None
    ) -> None:
        self.job = job
        self._opened = opened or {}
        self.spec = job.spec
        self.trainer = self._build_trainer(warn)
        self.trainer.stepper.warn = warn
        self._maker = BatchMaker(
            self.spec.data,
            self.trainer.device,
            self.spec.train.seed,
            channels_last=self.spec.train.channels_last,
            part=job.ranks.part,
            steps_per_epoch=self.spec.train.steps_per_epoch,
        )
        self._datasets = self._open(warn)

    # --- the model -----------------------------------------------------------------------------------

    def _build_trainer(self, warn: Callable[[str], None]) -> BaseModel:
        spec = self.spec
        model = build(without_loading(spec.model), "model")
        if not isinstance(model, torch.nn.Module):
            raise TargetError(f"model: {spec.model[TARGET]} is not a torch.nn.Module")
        if FROM in spec.model:
            load_weights(model, spec.model, self.job.paths, self.job.workdir)
        if spec.train.sync_batch_norm:
            model = synced_batch_norm(model, warn)
        name = spec.trainer[TARGET]
        trainer_class = find_target(name, "trainer")
        if not (isinstance(trainer_class, type) and issubclass(trainer_class, BaseModel)):
            raise TargetError(f"trainer: {name} is not a class that extends fusionq.BaseModel")
        args, kwargs = build_arguments(spec.trainer, "trainer")
        trainer = call(trainer_class, "trainer", (model, *args), kwargs)
        if trainer._run_dir is None:
            trainer.run_dir = self.job.paths.root
        if spec.train.channels_last:
            trainer.model.to(memory_format=torch.channels_last)
        if spec.train.compile:
            trainer.model.compile()  # in place: the keys of the state dict stay as they are
        return trainer

    def set_up_steps(self, train_batches: Batches) -> None:
        """How the trainer steps its optimizer."""
        train = self.spec.train
        options = StepOptions(
            precision=train.precision,
            accumulation=train.gradient_accumulation_steps,
            clip_grad_norm=train.clip_grad_norm,
            warmup_steps=self._warmup_steps(len(train_batches)),
            ema_decay=train.ema,
        )
        warn = self.trainer.stepper.warn
        self.trainer.stepper = Stepper(self.trainer.model, self.trainer.device, options)
        self.trainer.stepper.warn = warn

    def _warmup_steps(self, num_batches: int) -> int:
        if self.spec.train.warmup is None:
            return 0
        interval = Interval.parse(self.spec.train.warmup)
        batches = interval.batches or interval.epochs * num_batches
        return max(1, batches // self.spec.train.gradient_accumulation_steps)

    # --- the data ------------------------------------------------------------------------------------

    def _open(self, warn: Callable[[str], None]) -> Datasets:
        datasets = open_datasets(
            self.spec.data, self.job.data_root, warn, seed=self.spec.train.seed, opened=self._opened
        )
        if self.job.ranks.is_first:
            self._write_environment(datasets)
        if is_stream(type(datasets.train)):
            for _, words in stream_mistakes(self.spec, type(datasets.train).__name__):
                raise DataError(words)
        if self.spec.data.val_fraction is None or datasets.train is None:
            return datasets
        train, val = split(datasets.train, self.spec.data.val_fraction, self.spec.train.seed)
        return Datasets(train, val, datasets.test, datasets.note)

    def _write_environment(self, datasets: Datasets) -> None:
        data = "; ".join([*([datasets.note] if datasets.note else []), *self._data_words(datasets)])
        found = describe_environment(self.job.workdir, self.trainer.device, self.spec.train.seed, data)
        write_json(self.job.paths.environment, {**found, **self.job.provenance})

    def _data_words(self, datasets: Datasets) -> Iterator[str]:
        """What was opened: `train: torchvision.datasets.MNIST, 60,000 samples`."""
        for key in ("train", "val", "test"):
            block, dataset = getattr(self.spec.data, key), getattr(datasets, key)
            if block is not None and dataset is not None:
                size = f", {len(dataset):,} samples" if hasattr(dataset, "__len__") else ""
                yield f"{key}: {block[TARGET]}{size}"

    def train_batches(self) -> Batches:
        assert self._datasets.train is not None
        return self.trainer.hooked(self._maker.make(self._datasets.train, train=True))

    def test_batches(self) -> Batches:
        assert self._datasets.test is not None
        return self._maker.make(self._datasets.test, train=False)

    def tests(self) -> list[Testing]:
        """What is measured after every epoch; validation first, since it decides."""
        metrics = self.spec.metrics
        found = []
        if self._datasets.val is not None:
            blocks = metrics.test if metrics.val is None else metrics.val
            batches = self._maker.make(self._datasets.val, train=False)
            found.append(Testing(VAL, batches, self._metrics(blocks, "metrics.val")))
        if self._datasets.test is not None:
            found.append(Testing(TEST, self.test_batches(), self._metrics(metrics.test, "metrics.test")))
        return found

    # --- the rest ------------------------------------------------------------------------------------

    def loss(self) -> Any:
        if self.spec.loss is None:
            return no_loss
        loss = build(self.spec.loss, "loss")
        return loss.to(self.trainer.device) if isinstance(loss, torch.nn.Module) else loss

    def train_metrics(self) -> list[Metric]:
        return self._metrics(self.spec.metrics.train, "metrics.train")

    def test_metrics(self) -> list[Metric]:
        return self._metrics(self.spec.metrics.test, "metrics.test")

    def callbacks(self) -> list[Callback]:
        found = [build(block, f"callbacks.{i}") for i, block in enumerate(self.spec.callbacks)]
        for i, callback in enumerate(found):
            if not isinstance(callback, Callback):
                raise TargetError(
                    f"callbacks.{i}: {type(callback).__name__} does not extend fusionq.Callback"
                )
        return found

    def _metrics(self, blocks: list[dict[str, Any]], place: str) -> list[Metric]:
        return [build_metric(block, f"{place}.{i}") for i, block in enumerate(blocks)]


def build_metric(block: dict[str, Any], place: str) -> Metric:
    """A metric of ours, or one of torchmetrics under the `name` that the block gives it.

    Raises TargetError, MetricError.
    """
    if block[TARGET].startswith("torchmetrics."):
        return TorchMetric(build({k: v for k, v in block.items() if k != "name"}, place), block.get("name"))
    metric = build(block, place)
    if is_torchmetric(metric):
        return TorchMetric(metric)
    if not isinstance(metric, Metric):
        raise TargetError(
            f"{place}: {type(metric).__name__} is neither a fusionq.Metric nor one of torchmetrics"
        )
    return metric
