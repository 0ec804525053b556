"""How large a job is: its weights, its files, and the memory that training takes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fusionq.engine.checking.batch import each_tensor
from fusionq.spec.job import JobSpec

OVERHEAD_BYTES = 20_000
"""What a checkpoint holds beside tensors of the model: random states, history, names."""

# Tensors of a parameter's size that an optimizer keeps for each; see the page of each in torch.optim.
_KEPT = {
    "Adam": lambda group: 2 + bool(group["amsgrad"]),
    "AdamW": lambda group: 2 + bool(group["amsgrad"]),
    "NAdam": lambda group: 2,
    "RAdam": lambda group: 2,
    "Adamax": lambda group: 2,
    "Adadelta": lambda group: 2,
    "Adagrad": lambda group: 1,
    "ASGD": lambda group: 1,
    "Rprop": lambda group: 2,
    "SGD": lambda group: int(group["momentum"] != 0),
    "RMSprop": lambda group: 1 + (group["momentum"] > 0) + bool(group["centered"]),
}


class SavedBytes(torch.autograd.graph.saved_tensors_hooks):
    """While it is entered, counts what is kept for the backward pass, beside weights and inputs."""

    def __init__(self, model: nn.Module, inputs: Any) -> None:
        self.total = 0
        self._seen: dict[int, Any] = {}  # storages stay alive, so that no other gets the number of one
        for tensor in (*model.parameters(), *model.buffers()):
            self._see(tensor)
        each_tensor(inputs, self._see)
        super().__init__(self._count, lambda tensor: tensor)

    def _count(self, tensor: Tensor) -> Tensor:
        if self._see(tensor):
            self.total += tensor.untyped_storage().nbytes()
        return tensor

    def _see(self, tensor: Tensor) -> bool:
        storage = tensor.untyped_storage()
        is_new = storage._cdata not in self._seen
        self._seen[storage._cdata] = storage
        return is_new


def estimate(
    spec: JobSpec, model: nn.Module, optimizer: Optimizer | None, batch_bytes: int | None, saved_bytes: int
) -> dict[str, Any]:
    """The numbers; those of memory only where a batch went through."""
    weights = _num_bytes(model.state_dict().values())
    parameters = list(model.parameters())
    found = {"parameters": sum(p.numel() for p in parameters), "model_bytes": weights}
    kept = _optimizer_bytes(optimizer) if optimizer is not None else 0
    average = weights if spec.train.ema is not None else 0
    if spec.task == "train":
        found["checkpoint_bytes"] = weights + kept + average + OVERHEAD_BYTES
    if batch_bytes is None:
        return found
    halves = spec.train.precision != "fp32"
    parts = {
        "weights_bytes": weights + average,
        "gradient_bytes": _num_bytes(p for p in parameters if p.requires_grad) if optimizer else 0,
        "optimizer_bytes": kept,
        "activation_bytes": saved_bytes // 2 if halves else saved_bytes,
        "batch_bytes": batch_bytes,
    }
    return found | parts | {"memory_bytes": sum(parts.values())}


def _optimizer_bytes(optimizer: Optimizer) -> int:
    """What it will keep for its parameters: by rule for torch's, and by a step with no numbers for others."""
    rule = _KEPT.get(type(optimizer).__name__) if type(optimizer).__module__.startswith("torch.") else None
    if rule is not None:
        return sum(
            rule(group) * _num_bytes(p for p in group["params"] if p.requires_grad)
            for group in optimizer.param_groups
        )
    try:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.empty_like(parameter)
        optimizer.step()
    except Exception:
        return 0  # it wants numbers, or a closure
    state = [value for entry in optimizer.state.values() for value in entry.values()]
    return _num_bytes(value for value in state if isinstance(value, Tensor))


def _num_bytes(tensors: Any) -> int:
    """The bytes of tensors, those that are shared counted once."""
    storages = {}
    for tensor in tensors:
        if isinstance(tensor, Tensor):
            storage = tensor.untyped_storage()
            storages[storage._cdata] = storage
    return sum(storage.nbytes() for storage in storages.values())
