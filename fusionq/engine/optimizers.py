"""The optimizer and the learning-rate scheduler of a job."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from fusionq.engine.build import Supplied, build, find_target, takes
from fusionq.errors import HookError, TargetError
from fusionq.spec.combinations import PLATEAU_PER_STEP
from fusionq.spec.metric_keys import rate_keys
from fusionq.spec.targets import ARGS, TARGET


def build_optimizer(block: Mapping[str, Any] | None, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """The optimizer of a block, fused into one kernel where its class can do that. Raises TargetError.

    Where there is no block, one that refuses to step.
    """
    parameters = list(parameters)
    if block is None:
        return NoOptimizer(parameters)
    chosen = "fused" in block or "foreach" in block
    if not chosen and takes(find_target(block[TARGET], "optimizer"), "fused") and _can_fuse(parameters):
        try:
            return _fused_while_dense(build({**block, "fused": True}, "optimizer", parameters))
        except TargetError:
            pass  # not every combination of arguments has a fused kernel
    return build(block, "optimizer", parameters)


class NoOptimizer(Optimizer):
    """Stands for the job's optimizer where the trainer has its own ones. It refuses to step."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        super().__init__([*parameters] or [nn.Parameter(torch.zeros(()))], {"lr": 0.0})

    def step(self, closure: Any = None) -> None:
        raise HookError(
            "this job has no optimizer; give the key `optimizer`, or step one of the trainer's own in "
            "__train_func__"
        )


def build_lr_scheduler(
    block: Mapping[str, Any] | None, optimizer: Optimizer, mode: str = "min"
) -> LRScheduler | None:
    """The scheduler of a block; one that watches the monitored value follows its `mode`, min or max.

    Those among its arguments are of the same optimizer. Raises TargetError.
    """
    if not block:
        return None
    if _watches_a_value(find_target(block[TARGET], "lr_scheduler")) and not _says_mode(block):
        block = {**block, "mode": mode}
    return build(block, "lr_scheduler", supplied=Supplied("optimizer", optimizer))


def _watches_a_value(scheduler_class: Any) -> bool:
    return isinstance(scheduler_class, type) and issubclass(scheduler_class, ReduceLROnPlateau)


def _says_mode(block: Mapping[str, Any]) -> bool:
    return "mode" in block or bool(block.get(ARGS))


def check_lr_scheduler(
    scheduler: LRScheduler | None, monitor: str, mode: str, *, per_batch: bool, warn: Callable[[str], None]
) -> None:
    """Whether a scheduler that watches a value can, and does so in the right direction.

    Raises TargetError where it steps per batch: there is no new value then.
    """
    if not isinstance(scheduler, ReduceLROnPlateau):
        return
    if per_batch:
        raise TargetError(PLATEAU_PER_STEP)
    if scheduler.mode != mode:
        warn(
            f"lr_scheduler: ReduceLROnPlateau has mode {scheduler.mode!r}, but of {monitor} the "
            f"{'largest' if mode == 'max' else 'smallest'} value is the best; leave lr_scheduler.mode out "
            "and it follows"
        )


def step_lr_scheduler(scheduler: LRScheduler, monitored: float) -> None:
    """One step at the end of an epoch; a scheduler that watches a value gets the monitored one."""
    with warnings.catch_warnings():
        # A job that was stopped while it was tested ends its epoch without a step of this process's own.
        warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(monitored)
        else:
            scheduler.step()


def learning_rates(optimizer: Optimizer, factor: float) -> dict[str, float]:
    """The rate of each group of parameters as the last step took it, with the `factor` of the warm-up."""
    if isinstance(optimizer, NoOptimizer):
        return {}  # the trainer has its own ones
    groups = optimizer.param_groups
    keys = rate_keys(len(groups))
    return {key: float(group["lr"]) * factor for key, group in zip(keys, groups, strict=True)}


def _can_fuse(parameters: list[nn.Parameter]) -> bool:
    return all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters)


def _fused_while_dense(optimizer: Optimizer) -> Optimizer:
    """The optimizer, not fused from its first step on where gradients are sparse: no kernel takes them."""

    has_looked = False

    def look(*_: Any) -> None:
        # The hook stays: torch goes through the hooks meanwhile, and others may stand behind this one.
        nonlocal has_looked
        if has_looked:
            return
        has_looked = True
        parameters = (p for group in optimizer.param_groups for p in group["params"])
        if any(p.grad is not None and p.grad.is_sparse for p in parameters):
            for group in optimizer.param_groups:
                group["fused"] = False
            optimizer._step_supports_amp_scaling = False  # so that GradScaler does what the kernel did

    optimizer.register_step_pre_hook(look)
    return optimizer
