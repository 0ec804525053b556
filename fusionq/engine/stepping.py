"""From a loss to a step of the optimizer: precision, accumulation, clipping, warm-up, averaged weights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.hooks import RemovableHandle

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class StepOptions:
    """What a job asks for. `warmup_steps` raises the learning rate linearly over the first steps."""

    precision: str = "fp32"  # fp32 | bf16 | fp16
    accumulation: int = 1
    clip_grad_norm: float | None = None
    warmup_steps: int = 0
    ema_decay: float | None = None


class Stepper:
    """Steps an optimizer as the options say.

    Clipping, warm-up and averaging hang on the optimizer's own step, so they hold for any trainer;
    precision and accumulation need the trainer to call `BaseModel.optimize`.
    """

    def __init__(self, model: nn.Module, device: torch.device, options: StepOptions | None = None) -> None:
        self.options = options or StepOptions()
        self.device = device
        self.steps = 0
        self.parts = 1  # micro-batches that a batch is cut into, after memory ran out
        self.can_halve = True  # several processes would have to do it at once
        self.batch_samples = 1.0  # of the batch that is trained on, of all ranks; the training sets it
        self.weigh: Callable[[float], float] = float  # `Ranks.weigh` of the training
        self.was_used = False
        self.after_step: list[Callable[[], None]] = []
        self.warn: Callable[[str], None] = _print_warning
        self._pending = 0  # batches whose gradients wait for a step
        self._first_samples = 0.0  # of the first of them
        self._samples = 0.0  # of all of them
        self._scaler = torch.amp.GradScaler(device.type) if self.options.precision == "fp16" else None
        self._dtype = _DTYPES.get(self.options.precision)
        self.average: AveragedModel | None = None
        if self.options.ema_decay is not None:
            self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(self.options.ema_decay))
        self._model = model
        self._base_rates: list[float] = []
        self._hooks: list[RemovableHandle] = []

    @property
    def needs_optimize(self) -> bool:
        """Whether the options can only hold for a trainer that calls `BaseModel.optimize`."""
        return self.options.precision != "fp32" or self.options.accumulation > 1

    @property
    def is_between_steps(self) -> bool:
        """Whether no gradients wait: only then the state of a run is whole."""
        return self._pending == 0

    def attach(self, optimizer: Optimizer) -> None:
        """Hang clipping, warm-up and averaging on the optimizer's step."""
        options, hooks = self.options, self._hooks
        if options.clip_grad_norm is not None:
            hooks.append(optimizer.register_step_pre_hook(self._clip))
        if options.warmup_steps:
            hooks.append(optimizer.register_step_pre_hook(self._warm_up))
            hooks.append(optimizer.register_step_post_hook(self._restore_rates))
        hooks.append(optimizer.register_step_post_hook(self._count))

    def detach(self) -> None:
        """Let go of the optimizer: another training may go on with it."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self.after_step.clear()

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which to compute outputs and loss."""
        if self._dtype is None:
            return _NOTHING
        return torch.autocast(self.device.type, dtype=self._dtype)

    def optimize(self, loss: Tensor, optimizer: Optimizer, samples: float | None = None) -> None:
        """Backward, and a step once enough batches were accumulated.

        `loss` is a mean over `samples`; without them, over those of the batch. Both are of this process.
        """
        if samples is not None:
            self.batch_samples = self.weigh(samples)
        self.backward(loss)
        self.end_batch(optimizer)

    def backward(self, loss: Tensor, share: float = 1.0) -> None:
        """Add the gradients of a loss over `share` of a batch."""
        share *= self._weight()
        if share != 1.0:
            loss = loss * share
        (self._scaler.scale(loss) if self._scaler else loss).backward()

    def _weight(self) -> float:
        """What the mean over this batch counts for: a group of batches as large as its first gives a mean."""
        if self.options.accumulation == 1:
            return 1.0
        first = self._first_samples or self.batch_samples
        return self.batch_samples / first / self.options.accumulation if first else 0.0

    def end_batch(self, optimizer: Optimizer) -> None:
        """The gradients of a whole batch are in: step once there are enough of them."""
        self.was_used = True
        self._first_samples = self._first_samples or self.batch_samples
        self._samples += self.batch_samples
        self._pending += 1
        if self._pending >= self.options.accumulation:
            self.step(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        """Step with the gradients of the batches since the last one, the mean over their samples."""
        if self._scaler is not None:
            self._scaler.unscale_(optimizer)  # clipping needs the true gradients
        self._make_mean(optimizer)
        if self._scaler is None:
            optimizer.step()
        else:
            self._scaler.step(optimizer)
            self._scaler.update()
        optimizer.zero_grad()
        self._pending, self._first_samples, self._samples = 0, 0.0, 0.0

    def _make_mean(self, optimizer: Optimizer) -> None:
        """For a group that was cut short, or whose batches were not all as large as its first."""
        meant = self._first_samples * self.options.accumulation
        if self._samples in (0, meant):
            return
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.mul_(meant / self._samples)

    def halve_parts(self, batch_size: int) -> None:
        """Memory ran out: cut every batch into twice as many parts, with the same effective batch."""
        self.parts *= 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.warn(f"out of memory: batches of {batch_size} now go in {self.parts} parts")

    def finish_epoch(self, optimizer: Optimizer) -> None:
        """Step with what is left over of the last group of batches."""
        if self._pending:
            self.step(optimizer)

    def state_dict(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "parts": self.parts,
            "scaler": self._scaler.state_dict() if self._scaler else None,
            "average": self.average.state_dict() if self.average else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps, self.parts = state["steps"], state["parts"]
        if self._scaler is not None and state["scaler"] is not None:
            self._scaler.load_state_dict(state["scaler"])
        if self.average is not None and state["average"] is not None:
            self.average.load_state_dict(state["average"])

    # --- hooks on the optimizer ----------------------------------------------------------------------

    def _clip(self, optimizer: Optimizer, *_: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        clip_grad_norm_(parameters, self.options.clip_grad_norm)

    def _warm_up(self, optimizer: Optimizer, *_: Any) -> None:
        if self.steps < self.options.warmup_steps:
            factor = (self.steps + 1) / self.options.warmup_steps
            self._base_rates = [group["lr"] for group in optimizer.param_groups]
            for group in optimizer.param_groups:
                group["lr"] *= factor

    def warmup_factor(self) -> float:
        """What the warm-up multiplied the rates of the last step by."""
        return min(1.0, self.steps / self.options.warmup_steps) if self.options.warmup_steps else 1.0

    def _restore_rates(self, optimizer: Optimizer, *_: Any) -> None:
        """The scheduler goes on from the rate that it set, not from the warmed one."""
        for group, rate in zip(optimizer.param_groups, self._base_rates, strict=False):
            group["lr"] = rate
        self._base_rates = []

    def _count(self, *_: Any) -> None:
        self.steps += 1
        if self.average is not None:
            self.average.update_parameters(self._model)
        for act in self.after_step:
            act()


def _print_warning(text: str) -> None:
    print(f"WARNING: {text}", flush=True)


_NOTHING = nullcontext()
