"""The model, the loss and the optimizer made, and a batch sent through them, all without numbers.

First with meta tensors, which is fast; what fails there is tried again with fake ones, which know better
whether a failure would come in training too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.optim import Optimizer

from fusionq.engine.checking.batch import Batch
from fusionq.engine.checking.blocks import model_block
from fusionq.engine.checking.building import Builder, PlacedError, one_line
from fusionq.engine.checking.findings import Findings
from fusionq.engine.checking.footprint import SavedBytes
from fusionq.engine.checking.layers import Layers, SameTypes
from fusionq.engine.checking.losses import is_of_torch
from fusionq.engine.checking.meta_errors import only_lacks_numbers
from fusionq.engine.checking.targets import Targets
from fusionq.engine.data.rows import inputs_of
from fusionq.spec.job import JobSpec
from fusionq.spec.reader import dotted


class _WrongKindError(Exception):
    """Something was made, and is not what its place needs."""


@dataclass
class Rehearsal:
    """What came of it, as far as it came. `outputs` are for the batches, in order."""

    model: nn.Module | None = None
    optimizer: Optimizer | None = None
    outputs: list[Any] = field(default_factory=list)
    saved_bytes: int = 0


class Rehearsing:
    """`batches`: the first is to train with, where the task trains; the others are to test with."""

    def __init__(self, spec: JobSpec, targets: Targets, batches: Sequence[Batch], findings: Findings) -> None:
        self._spec = spec
        self._targets = targets
        self._batches = batches
        self._findings = findings

    def run(self) -> Rehearsal:
        """Build, and run what can be run; problems and notes go to the findings."""
        modes: list[Callable[[], AbstractContextManager[Any]]] = [
            lambda: torch.device("meta"),
            lambda: FakeTensorMode(allow_non_fake_inputs=True),
        ]
        done = Rehearsal()
        for mode in modes:
            try:
                attempt = Rehearsal()
                self._attempt(attempt, mode)
                return attempt
            except PlacedError as error:
                failure = error
                if isinstance(error.cause, _WrongKindError):
                    break
                done = attempt if attempt.model is not None else done
        self._tell(failure)
        return done

    def _tell(self, error: PlacedError) -> None:
        if only_lacks_numbers(error.cause):
            self._findings.note(
                f"{dotted(error.place)}: it cannot be run without numbers ({one_line(error.cause)}); "
                "shapes were not checked"
            )
        else:
            self._findings.problem(error.place, error.message)

    def _attempt(self, done: Rehearsal, mode: Callable[[], AbstractContextManager[Any]]) -> None:
        builder = Builder(self._targets)
        with mode():
            self._build(done, builder)
            for i, batch in enumerate(self._batches):
                is_training = self._spec.task == "train" and i == 0
                parts = batch.make()
                outputs = self._send(done, builder, parts, is_training)
                done.outputs.append(outputs)
                if is_training:
                    self._own_loss(builder, outputs, parts)

    def _build(self, done: Rehearsal, builder: Builder) -> None:
        block = model_block(self._spec)
        if block is None:
            return
        model = builder.build(block, ("model",))
        if not isinstance(model, nn.Module):
            self._wrong_kind("model", f"{type(model).__name__} is not a torch.nn.Module")
        done.model = model
        if self._spec.task == "train" and ("optimizer",) in self._targets:
            self._build_optimizer(done, builder)

    def _build_optimizer(self, done: Rehearsal, builder: Builder) -> None:
        if self._findings.is_wrong("optimizer"):
            return
        parameters = list(done.model.parameters())
        optimizer = builder.build(self._spec.optimizer, ("optimizer",), parameters)
        if not isinstance(optimizer, Optimizer):
            self._wrong_kind("optimizer", f"{type(optimizer).__name__} is not a torch.optim.Optimizer")
        done.optimizer = optimizer

    def _send(self, done: Rehearsal, builder: Builder, parts: Any, is_training: bool) -> Any:
        inputs = inputs_of(parts)
        model = done.model
        model.train(is_training)
        saved = SavedBytes(model, inputs)
        with ExitStack() as stack:
            stack.enter_context(torch.set_grad_enabled(is_training))
            layers = stack.enter_context(Layers(model, builder.place_of))
            stack.enter_context(saved)
            stack.enter_context(SameTypes(autocast=self._spec.train.precision != "fp32"))
            try:
                outputs = model(inputs)
            except (Exception, SystemExit) as error:
                raise layers.error(error) from error
        done.saved_bytes = max(done.saved_bytes, saved.total)
        return outputs

    def _own_loss(self, builder: Builder, outputs: Any, parts: Any) -> None:
        """A loss of the user's own; torch's are computed with a few real numbers, see `small_loss`."""
        target = self._targets.get(("loss",))
        if target is None or is_of_torch(target) or self._findings.is_wrong("loss"):
            return
        loss_fn = builder.build(self._spec.loss, ("loss",))
        if not callable(loss_fn):
            self._wrong_kind("loss", f"{type(loss_fn).__name__} cannot be called with outputs and targets")
        try:
            loss = loss_fn(outputs, parts[1])
        except (Exception, SystemExit) as error:
            raise PlacedError(("loss",), f"{_name(loss_fn)}: {one_line(error)}", error) from error
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            self._wrong_kind("loss", f"{_name(loss_fn)} does not give a tensor with one number")

    @staticmethod
    def _wrong_kind(key: str, text: str) -> None:
        raise PlacedError((key,), text, _WrongKindError(text))


def _name(value: Any) -> str:
    return getattr(value, "__name__", type(value).__name__)
