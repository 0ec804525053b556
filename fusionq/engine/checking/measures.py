"""The metrics of a job: whether they can be made, whether one is monitored, whether they fit the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fusionq.engine.assembly import build_metric
from fusionq.engine.checking.batch import Batch, shape_text
from fusionq.engine.checking.building import one_line
from fusionq.engine.checking.findings import Findings
from fusionq.engine.history import Measured, choose_best, keys_of
from fusionq.engine.metrics import MSE, Accuracy, Metric
from fusionq.engine.torchmetrics_adapter import TorchMetric
from fusionq.errors import EngineError, MetricError
from fusionq.spec.job import JobSpec, Target
from fusionq.spec.metric_keys import TEST, TRAIN, VAL
from fusionq.spec.reader import Path_, dotted

MOST_SAMPLES = 16
MOST_ELEMENTS = 2**20


class Measures:
    """Makes the metrics, as a training does. Problems go to the findings.

    `has_loss`: whether the trainer measures the loss of the data that it is tested on.
    """

    def __init__(self, spec: JobSpec, findings: Findings, *, has_loss: bool = True) -> None:
        self._spec = spec
        self._has_loss = has_loss
        self._findings = findings
        self._made = {phase: self._make(phase) for phase in (TRAIN, VAL, TEST)}
        if findings.is_wrong("metrics") or spec.task == "predict":
            return
        named = {phase: self._named(phase) for phase in (TRAIN, VAL, TEST)}
        if spec.task == "train" and not findings.is_wrong("metrics"):
            self._check_monitor(named)

    def check_forms(self, batches: Sequence[Batch], outputs: Sequence[Any]) -> None:
        """Let our own metrics and those of torchmetrics take in outputs and targets of the real form."""
        if self._spec.task == "predict" or not batches or self._findings.is_wrong("metrics"):
            return
        with torch.device("meta"):
            targets = batches[0].make(batches[0].parts[1])
        for phase, metrics in self._made.items():
            for i, metric in enumerate(metrics):
                place = self._place(phase, i)
                if not isinstance(metric, Accuracy | MSE | TorchMetric) or not isinstance(targets, Tensor):
                    continue  # one of the user's own knows itself what it gets
                if not isinstance(outputs[0], Tensor):
                    words = f"takes a tensor, and the model gives a {type(outputs[0]).__name__}"
                    self._findings.problem(place, f"{metric.name} {words}")
                elif isinstance(metric, TorchMetric):
                    self._try_torchmetric(metric, place, outputs[0], targets, batches[0])
                elif type(metric) in (Accuracy, MSE):
                    self._look_at_form(metric, place, outputs[0], targets)

    def _look_at_form(self, metric: Metric, place: Path_, outputs: Tensor, targets: Tensor) -> None:
        """Ours need no numbers for it."""
        try:
            metric.update(outputs.detach().to("meta"), targets)
        except MetricError as error:
            self._findings.problem(place, error.message)
        except Exception:
            pass  # what cannot be computed without numbers

    def _try_torchmetric(
        self, metric: TorchMetric, place: Path_, outputs: Tensor, targets: Tensor, batch: Batch
    ) -> None:
        """Theirs look at numbers: a problem is what they refuse with made-up targets and with a real one."""
        made = made_up(outputs, targets)
        if made is None:
            return
        scores, numbers = made
        real = batch.parts[1][:1].expand_as(numbers) if not batch.is_whole else numbers
        reasons = []
        for wanted in (numbers, real):
            metric.reset()
            try:
                metric.update(scores, wanted)
                metric.result()
                return
            except MetricError as error:
                reasons.append(error.message)
            except Exception as error:
                forms = f"outputs {shape_text(scores)}, targets {shape_text(wanted)}"
                reasons.append(f"{metric.name}: {one_line(error, with_kind=False)} ({forms})")
        self._findings.problem(place, reasons[0])

    def _make(self, phase: str) -> list[Metric]:
        made = []
        for i, block in enumerate(self._blocks(phase)):
            place = self._place(phase, i)
            if self._findings.is_wrong(*place):
                continue
            try:
                made.append(build_metric(block, dotted(place)))
            except EngineError as error:
                self._findings.problem(place, error.message)
        return made

    def _blocks(self, phase: str) -> list[Target]:
        metrics = self._spec.metrics
        if phase == TRAIN:
            return metrics.train
        if phase == VAL:
            return self._of_val(metrics) if self._has_data(VAL) else []
        return metrics.test if self._has_data(TEST) else []

    def _has_data(self, phase: str) -> bool:
        data = self._spec.data
        if phase == VAL:
            return data.val is not None or data.val_fraction is not None
        return data.test is not None

    @staticmethod
    def _of_val(metrics: Any) -> list[Target]:
        return metrics.test if metrics.val is None else metrics.val

    def _place(self, phase: str, i: int) -> Path_:
        is_tests = phase == VAL and self._spec.metrics.val is None
        return ("metrics", TEST if is_tests else phase, i)

    def _named(self, phase: str) -> dict[str, Metric]:
        try:
            has_loss = phase == TRAIN or self._spec.loss is not None
            keys = keys_of(phase, self._made[phase], has_loss=has_loss)
            return dict(zip(keys, self._made[phase], strict=True))
        except MetricError as error:
            self._findings.problem(("metrics", phase), error.message)
            return {}

    def _check_monitor(self, named: dict[str, dict[str, Metric]]) -> None:
        checkpoint = self._spec.checkpoint
        try:
            measured = [
                Measured(phase, named[phase], self._has_loss)
                for phase in (VAL, TEST)
                if self._has_data(phase)
            ]
            choose_best(checkpoint.monitor, checkpoint.mode, [*measured, Measured(TRAIN, named[TRAIN])])
        except MetricError as error:
            self._findings.problem(("checkpoint", "monitor"), error.message)


def made_up(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor] | None:
    """Outputs and targets with numbers, of this form but for fewer samples; None where they are large.

    Scores are between 0 and 1 and add up to 1 over the classes; class numbers are among the classes.
    """
    sizes = [torch.Size((*_few(t.shape[:1]), *t.shape[1:])) for t in (outputs, targets)]
    if sum(size.numel() for size in sizes) > MOST_ELEMENTS or not outputs.is_floating_point():
        return None
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(sizes[0], generator=generator)
    if outputs.dim() > 1 and outputs.shape[1] > 1:
        scores = scores / scores.sum(1, keepdim=True)
    if targets.is_floating_point():
        return scores.to(outputs.dtype), torch.rand(sizes[1], generator=generator).to(targets.dtype)
    classes = outputs.shape[1] if outputs.dim() == targets.dim() + 1 else 2
    numbers = torch.arange(sizes[1].numel()).remainder(classes).reshape(sizes[1])
    return scores.to(outputs.dtype), numbers.to(targets.dtype)


def _few(size: torch.Size) -> list[int]:
    return [min(MOST_SAMPLES, number) for number in size]
