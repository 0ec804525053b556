"""Gradients and weights that the processes of a training have alike, whatever its trainer does with them.

Gradients are joined when a backward pass has ended, before anybody looks at them: a trainer may clip or scale
them, and step optimizers of its own. Where it calls its model, torch's own joining has come before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd import Variable
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from fusionq.engine.state.checksum import checksum
from fusionq.errors import HookError

_END, _WEIGHT = -1, -2  # stand for no number of gradients
MOST_ROUNDING = 1e-3
"""Relative difference up to which weights are the same: GPUs of different kinds round differently."""


class SharedGradients:
    """Joins the gradients of `parameters`; `weight` is this process's share of the present batch.

    `host` is a group over which the processes agree on which gradients there are.
    """

    def __init__(self, parameters: Iterable[Tensor], host: dist.ProcessGroup) -> None:
        self.weight = 1.0
        self._host = host
        self._tracked = [parameter for parameter in parameters if parameter.requires_grad]
        self._waiting: set[int] = set()  # ids of parameters whose gradients are this process's alone
        self._joined: set[int] = set()  # since the last step with them
        self._is_queued = False
        self._position = [0, 0]  # batches, and backward passes of the present one

    @contextmanager
    def attached(self) -> Iterator[None]:
        """While it lasts, each backward pass and each step of any optimizer joins what is not joined."""
        hooks = [p.register_post_accumulate_grad_hook(self._note) for p in self._tracked]
        hooks.append(register_optimizer_step_pre_hook(self._before_step))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def begin_batch(self, weight: float) -> None:
        self.weight = weight
        self._is_queued = False  # a pass that failed has not ended
        self._position = [self._position[0] + 1, 0]

    def weigh(self, ours: float) -> float:
        """Count this process's part of the batch as `ours`; returns the sum of all. All must call it."""
        self._agree(_WEIGHT)
        summed = torch.tensor(float(ours), dtype=torch.float64)
        dist.all_reduce(summed, group=self._host)
        total = float(summed)
        if total:  # else the weights stay: gradients of batches before wait among these, too
            self.weight = ours / total
        return total

    def mark_joined(self, parameters: Iterable[Tensor]) -> None:
        """Somebody else has joined these."""
        found = {id(parameter) for parameter in parameters}
        self._waiting -= found
        self._joined |= found

    def _note(self, parameter: Tensor) -> None:
        self._waiting.add(id(parameter))
        if not self._is_queued:
            self._is_queued = True
            Variable._execution_engine.queue_callback(self._end_of_backward)  # as DDP and FSDP do

    def _end_of_backward(self) -> None:
        self._is_queued = False
        if self._waiting:
            self._join(self._tracked)

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is not None:
            return (args[0],), {**kwargs, "closure": self._joining(closure, parameters)}
        self._join_rest(parameters)
        self._joined -= {id(parameter) for parameter in parameters}
        return None

    def _join_rest(self, parameters: Sequence[Tensor]) -> None:
        """Join gradients that came without a backward pass, as from torch.autograd.grad."""
        rest = [p for p in parameters if p.grad is not None and id(p) not in self._joined]
        if rest:
            self._waiting |= {id(parameter) for parameter in rest}
            self._join(parameters)

    def _joining(self, closure: Callable[[], Any], parameters: Sequence[Tensor]) -> Callable[[], Any]:
        def joined() -> Any:
            self._joined -= {id(parameter) for parameter in parameters}
            loss = closure()
            self._join_rest(parameters)
            if loss is None:
                return None
            self._agree(len(parameters))
            total = torch.as_tensor(loss).detach() * self.weight  # who decides by it must decide alike
            return _reduce(total, self._host)

        return joined

    def _join(self, parameters: Sequence[Tensor]) -> None:
        """Join the gradients that wait in any process. All must call it with the same parameters."""
        self._position[1] += 1
        flags = [id(parameter) in self._waiting for parameter in parameters]
        self._agree(len(flags))
        waiting = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(waiting, dist.ReduceOp.MAX, group=self._host)
        chosen = [p for p, is_waiting in zip(parameters, waiting.tolist(), strict=True) if is_waiting]
        self._reduce_gradients(chosen)
        self.mark_joined(chosen)

    def end_batch(self) -> None:
        """Wait for the others. Who does more or less than they is found out here, and nobody hangs."""
        self._agree(_END)

    def _agree(self, number: int) -> None:
        """Raises HookError where the processes are not all at the same place, with the same number."""
        here = (*self._position, number)
        agreed = torch.tensor([*here, *(-at for at in here)])
        dist.all_reduce(agreed, dist.ReduceOp.MAX, group=self._host)
        most, least = agreed[:3], -agreed[3:]
        if not torch.equal(most, least):
            raise HookError(
                f"the processes computed gradients differently often in batch {int(least[0])} of this run: "
                "each must call backward and step its optimizers as often as the others"
            )

    def _reduce_gradients(self, parameters: Sequence[Tensor]) -> None:
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad.detach() for p in parameters]
        for group in _by_kind(gradients):
            dense = [gradients[i].to_dense() for i in group]
            flat = torch.cat([gradient.reshape(-1) for gradient in dense]) * self.weight
            parts = _reduce(flat, self._host).split([gradient.numel() for gradient in dense])
            for i, part, old in zip(group, parts, dense, strict=True):
                joined = part.view_as(old)
                if gradients[i].is_sparse:
                    parameters[i].grad = joined.to_sparse(gradients[i].sparse_dim())
                elif parameters[i].grad is None:
                    parameters[i].grad = joined.clone()
                else:
                    gradients[i].copy_(joined)


def broadcast(tensors: Iterable[Tensor], host: dist.ProcessGroup) -> None:
    """Give the tensors the values that they have in rank 0. All ranks must call it."""
    found = [tensor.detach() for tensor in tensors]
    for group in _by_kind(found):
        flat = torch.cat([found[i].reshape(-1) for i in group])
        dist.broadcast(flat, src=0, group=_group_of(flat, host))
        for i, part in zip(group, flat.split([found[i].numel() for i in group]), strict=True):
            found[i].copy_(part.view_as(found[i]))


def check_same(weights: Mapping[str, Sequence[Tensor]], host: dist.ProcessGroup) -> None:
    """Raises HookError where weights differ between the processes by more than rounding. All must call it."""
    sums = torch.tensor([checksum(tensors) for tensors in weights.values()])
    by_rank = [torch.empty_like(sums) for _ in range(dist.get_world_size(host))]
    dist.all_gather(by_rank, sums, group=host)
    for i, (name, tensors) in enumerate(weights.items()):
        if len({int(one[i]) for one in by_rank}) > 1:
            _check_close(name, tensors, host)


def _check_close(name: str, tensors: Sequence[Tensor], host: dist.ProcessGroup) -> None:
    difference, size = torch.zeros(()), torch.zeros(())
    for tensor in tensors:
        own = tensor.detach().to("cpu", torch.float64, copy=True)
        first = own.clone()
        dist.broadcast(first, src=0, group=host)
        difference = difference + (own - first).norm().square()
        size = size + first.norm().square()
    largest = (difference / size.clamp(min=1e-30)).sqrt()
    dist.all_reduce(largest, dist.ReduceOp.MAX, group=host)
    if not largest <= MOST_ROUNDING:  # also where it is no number
        raise HookError(
            f"the processes have different weights in {name}, by {float(largest):.1%}: they train different "
            "models. Change weights only through an optimizer, or in every process alike"
        )


def _reduce(tensor: Tensor, host: dist.ProcessGroup) -> Tensor:
    dist.all_reduce(tensor, group=_group_of(tensor, host))
    return tensor


def _group_of(tensor: Tensor, host: dist.ProcessGroup) -> dist.ProcessGroup | None:
    return host if tensor.device.type == "cpu" else None


def _by_kind(tensors: Sequence[Tensor]) -> list[list[int]]:
    """Returns the places of those that can be joined into one tensor."""
    groups: dict[Any, list[int]] = {}
    for i, tensor in enumerate(tensors):
        groups.setdefault((tensor.dtype, tensor.device), []).append(i)
    return list(groups.values())


def tensors_of(modules: Iterable[nn.Module], *, buffers: bool) -> list[Tensor]:
    """Returns the parameters of the modules, or their buffers, each once."""
    found = chain.from_iterable(m.buffers() if buffers else m.parameters() for m in modules)
    return list({id(tensor): tensor for tensor in found}.values())
