"""The optimizer and the learning-rate scheduler, stepped for real, with a parameter of each kind."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from fusionq.engine.build import Supplied
from fusionq.engine.checking.building import Builder, PlacedError, one_line
from fusionq.engine.checking.findings import Findings
from fusionq.engine.checking.targets import Targets
from fusionq.engine.data.split import num_to_train
from fusionq.engine.optimizers import step_lr_scheduler
from fusionq.engine.standard_model import StandardModel
from fusionq.spec.job import JobSpec

MOST_STEPS = 100  # of a scheduler, each of which takes some microseconds


class StepCheck:
    """Problems go to the findings."""

    def __init__(self, spec: JobSpec, targets: Targets, findings: Findings) -> None:
        self._spec = spec
        self._targets = targets
        self._findings = findings
        self._builder = Builder(targets)

    def check_closure(self) -> None:
        """Some optimizers compute the loss several times in a step, by a function that the trainer gives."""
        optimizer, trainer = self._targets.get(("optimizer",)), self._targets.get(("trainer",))
        steps_plainly = getattr(trainer, "__train_func__", None) is StandardModel.__train_func__
        if self._spec.task == "train" and steps_plainly and _needs_closure(optimizer):
            self._findings.problem(
                ("optimizer",),
                f"{optimizer.__name__} needs a closure, which {trainer.__name__} does not give; choose "
                "another, or write a trainer whose __train_func__ calls optimizer.step(closure)",
            )

    def check_optimizer(self, model: nn.Module) -> None:
        """One step of an optimizer of torch's with gradients as this model makes them, dense and sparse."""
        target = self._targets.get(("optimizer",))
        is_of_torch = str(getattr(target, "__module__", "")).startswith("torch.optim.")
        if not is_of_torch or self._findings.is_wrong("optimizer") or _needs_closure(target):
            return
        sparse = {id(m.weight): name for name, m in model.named_modules() if getattr(m, "sparse", False)}
        trained = [id(p) for p in model.parameters() if p.requires_grad]
        kinds = {parameter in sparse for parameter in trained}
        try:
            self._step([_parameter(is_sparse=is_sparse) for is_sparse in sorted(kinds)])
        except PlacedError:
            pass  # it does not take such small ones
        except Exception as error:
            where = ", ".join(name or "itself" for name in sparse.values())
            why = f"; the model's sparse gradients come from {where}" if sparse else ""
            self._findings.problem(("optimizer",), f"{target.__name__}: {one_line(error)}{why}")

    def _step(self, parameters: list[nn.Parameter]) -> None:
        optimizer = self._builder.build(self._spec.optimizer or {}, ("optimizer",), parameters)
        if self._spec.train.clip_grad_norm is not None:
            clip_grad_norm_(parameters, self._spec.train.clip_grad_norm)
        optimizer.step()

    def check_scheduler(self, optimizer: Optimizer, num_samples: int | None) -> None:
        """Make the scheduler, and step it as often as the training will."""
        place = ("lr_scheduler",)
        if place not in self._targets or self._findings.is_wrong(*place):
            return
        try:
            scheduler = self._builder.build(
                self._spec.lr_scheduler or {}, place, supplied=Supplied("optimizer", optimizer)
            )
        except PlacedError as error:
            self._findings.problem(error.place, error.message)
            return
        name = type(scheduler).__name__
        if not hasattr(scheduler, "step"):
            self._findings.problem(place, f"{name} has no step()")
        elif self._spec.train.lr_interval == "step" and isinstance(scheduler, ReduceLROnPlateau):
            self._findings.problem(
                ("train", "lr_interval"),
                f"{name} looks at a value of each epoch; it cannot step with batches",
            )
        elif self._spec.train.early_stopping is None:  # else nobody knows how often it steps
            self._step_scheduler(scheduler, name, self._num_steps(num_samples))

    def _step_scheduler(self, scheduler: Any, name: str, num_steps: int) -> None:
        total = getattr(scheduler, "total_steps", None)
        try:
            if isinstance(total, int) and total < num_steps:
                raise ValueError(f"it has {total} steps in all")
            for _ in range(min(num_steps, MOST_STEPS)):
                step_lr_scheduler(scheduler, 1.0)
        except Exception as error:
            reason = one_line(error, with_kind=not isinstance(error, ValueError))
            by_epoch = self._spec.train.lr_interval == "epoch"
            often = f"{num_steps:,} times, once an epoch" if by_epoch else f"{num_steps:,} times or more"
            self._findings.problem(("lr_scheduler",), f"{name}: {reason}; the job steps it {often}")

    def _num_steps(self, num_samples: int | None) -> int:
        """How often it steps at least; 0 where that is not known."""
        train, data = self._spec.train, self._spec.data
        if train.lr_interval == "epoch":
            return train.epochs
        batches = train.steps_per_epoch or 0
        if not batches and num_samples is not None and data.sampler is None:
            batches = num_to_train(num_samples, data.val_fraction) // data.batch_size
        return train.epochs * (batches // train.gradient_accumulation_steps)


def _needs_closure(optimizer: Any) -> bool:
    try:
        closure = inspect.signature(optimizer.step).parameters.get("closure")
    except (AttributeError, TypeError, ValueError):
        return False
    return closure is not None and closure.default is inspect.Parameter.empty


def _parameter(*, is_sparse: bool) -> nn.Parameter:
    parameter = nn.Parameter(torch.zeros(2, 2))
    gradient = torch.zeros(2, 2)
    parameter.grad = gradient.to_sparse(1) if is_sparse else gradient
    return parameter
