"""How a trainer's `__eval_function__` is called: with the loss, too, where it asks for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from fusionq.engine.accumulator import RunningLoss
from fusionq.errors import HookError

LOSS_FN = "loss_fn"
RUNNING_LOSS = "running_loss"


@cache
def _extra_parameters(hook: Callable[..., Any]) -> tuple[str, ...]:
    parameters = inspect.signature(hook).parameters.values()
    names = [parameter.name for parameter in parameters]
    takes_all = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    return tuple(name for name in (LOSS_FN, RUNNING_LOSS) if takes_all or name in names)


def measures_loss(trainer_class: type, has_loss_fn: bool) -> bool:
    """Whether a trainer computes the loss of data to test on, in a job with a loss or without."""
    takes = _extra_parameters(trainer_class.__eval_function__)  # type: ignore[attr-defined]
    return RUNNING_LOSS in takes and (has_loss_fn or LOSS_FN not in takes)


def no_loss(*args: Any) -> Any:
    """Stands for the loss of a job that leaves it to its trainer. Raises HookError where it is asked for."""
    raise HookError("this job has no loss; give the key `loss`, or compute one in __train_func__")


def call_eval_hook(
    trainer: Any, batch: Any, metrics: Any, loss_fn: Callable[..., Any] | None, running_loss: RunningLoss
) -> None:
    """`__eval_function__(batch, metrics)`, with `loss_fn` and `running_loss` where it takes them."""
    given = {LOSS_FN: None if loss_fn is no_loss else loss_fn, RUNNING_LOSS: running_loss}
    names = _extra_parameters(type(trainer).__eval_function__)
    trainer.__eval_function__(batch, metrics, **{name: given[name] for name in names})
