"""The metrics of a job: whether they can be made, whether one is monitored, whether they fit the outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from fusionq.engine.assembly import build_metric
from fusionq.engine.checking.batch import Batch
from fusionq.engine.checking.findings import Findings
from fusionq.engine.history import TEST, TRAIN, VAL, choose_best, keys_of
from fusionq.engine.metrics import MSE, Accuracy, Metric
from fusionq.errors import EngineError, MetricError
from fusionq.spec.job import JobSpec, Target
from fusionq.spec.reader import dotted


class Measures:
    """Makes the metrics, as a training does. Problems go to the findings."""

    def __init__(self, spec: JobSpec, findings: Findings) -> None:
        self._spec = spec
        self._findings = findings
        self._made = {phase: self._make(phase) for phase in (TRAIN, VAL, TEST)}
        if findings.is_wrong("metrics") or spec.task == "predict":
            return
        named = {phase: self._named(phase) for phase in (TRAIN, VAL, TEST)}
        if spec.task == "train" and not findings.is_wrong("metrics"):
            self._check_monitor(named)

    def check_forms(self, batches: Sequence[Batch], outputs: Sequence[Any]) -> None:
        """Let our own metrics look at the forms of outputs and targets; they need no numbers for it."""
        if self._spec.task == "predict" or not batches or self._findings.is_wrong("metrics"):
            return
        with torch.device("meta"):
            targets = batches[0].make(batches[0].parts[1])
        for phase, metrics in self._made.items():
            for i, metric in enumerate(metrics):
                if type(metric) not in (Accuracy, MSE) or not hasattr(targets, "shape"):
                    continue
                try:
                    metric.update(outputs[0].detach().to("meta"), targets)
                except MetricError as error:
                    self._findings.problem(self._place(phase, i), error.message)
                except Exception:
                    pass  # outputs that are no tensor are for metrics of the user's own

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
        metrics, data = self._spec.metrics, self._spec.data
        if phase == TRAIN:
            return metrics.train
        if phase == VAL:
            return self._of_val(metrics) if data.val is not None or data.val_fraction is not None else []
        return metrics.test if data.test is not None else []

    @staticmethod
    def _of_val(metrics: Any) -> list[Target]:
        return metrics.test if metrics.val is None else metrics.val

    def _place(self, phase: str, i: int) -> tuple[str | int, ...]:
        is_tests = phase == VAL and self._spec.metrics.val is None
        return ("metrics", TEST if is_tests else phase, i)

    def _named(self, phase: str) -> dict[str, Metric]:
        try:
            return dict(zip(keys_of(phase, self._made[phase]), self._made[phase], strict=True))
        except MetricError as error:
            self._findings.problem(("metrics", phase), error.message)
            return {}

    def _check_monitor(self, named: dict[str, dict[str, Metric]]) -> None:
        checkpoint = self._spec.checkpoint
        try:
            tests = [named[phase] for phase in (VAL, TEST)]
            choose_best(checkpoint.monitor, checkpoint.mode, named[TRAIN], tests)
        except MetricError as error:
            self._findings.problem(("checkpoint", "monitor"), error.message)
