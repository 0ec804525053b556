"""From objects to JSON and tensors. `decoding` goes the other way.

A value that is plain stands for itself; any other is a list that begins with its kind. What can be shared by
several owners has a number, by which others refer to it. Nothing of it is code: a checkpoint is data.
"""

from __future__ import annotations

import base64
import enum
import json
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fusionq.engine.state import containers, random_numbers
from fusionq.engine.state.checksum import checksum
from fusionq.engine.state.generators import Generator
from fusionq.engine.state.initial_values import InitialValues, digest_of
from fusionq.engine.state.kinds import (
    PLAIN,
    PLAIN_LIBRARIES,
    attributes_of,
    class_name,
    describe,
    extras_of,
    find_class,
    has_state_dict,
    holds_data,
    is_constant,
    is_walked,
    persistent_tensors,
)
from fusionq.engine.state.nodes import Node
from fusionq.engine.state.tensors import pack

MOST_BITS = 64
"""Of a whole number in JSON: Python writes none that is very long in decimal digits."""
LARGE_BYTES = 1 << 20
"""From here on a tensor outside of modules is only written when it has changed."""


class Encoder:
    """Encodes one object after another; what was met before is referred to.

    `known` are objects that somebody else keeps, by the name under which the decoder knows them.
    """

    def __init__(
        self, known: Mapping[str, Any], initial: InitialValues, *, is_beginning: bool, is_first: bool = True
    ) -> None:
        self._references: dict[int, Node] = {id(value): ["known", name] for name, value in known.items()}
        self._alive: list[Any] = []  # an id is only good as long as its object lives
        self._tensors: list[Tensor] = []
        self._initial = initial
        self._is_beginning = is_beginning
        self._is_first = is_first
        self.shared: dict[str, Any] = {}  # states that are the same in all processes, by path
        self.unsaved: dict[str, str] = {}  # what is in no checkpoint, by path

    def to_state(self, tree: Node) -> dict[str, Any]:
        """Returns the encoded tree with the tensors that it names, for a checkpoint."""
        return {"tree": json.dumps(tree, separators=(",", ":")), "tensors": pack(self._tensors)}

    # --- any value -----------------------------------------------------------------------------------

    def encode(self, value: Any, path: str) -> Node:
        if type(value) in PLAIN:
            is_long = type(value) is int and value.bit_length() > MOST_BITS
            return ["int", hex(value)] if is_long else value
        reference = self._references.get(id(value))
        if reference is not None:
            return reference
        for types, encode in _ENCODERS:
            if isinstance(value, types):
                return encode(self, value, path)
        return self._object(value, path)

    def root(self, value: Any, path: str) -> Node:
        """Encode what is known by its path elsewhere."""
        del self._references[id(value)]
        return self.encode(value, path)

    def attributes(self, owner: Any, values: Mapping[str, Any], path: str, cls: str = "") -> Node:
        """Returns those attributes that are not as they were when training began."""
        key = (path, cls or class_name(type(owner)))
        found = {}
        for name, value in values.items():
            digest = digest_of(value)
            at = (f"{key[0]}.{name}", key[1])
            if self._is_beginning and digest is not None:
                self._initial.attributes[at] = digest
            elif digest is None or self._initial.attributes.get(at) != digest:
                found[name] = self._attempt(value, f"{path}.{name}")
        return {name: node for name, node in found.items() if node != ["kept"]}

    def _attempt(self, value: Any, path: str) -> Node:
        """Encode what may be anything: an object that cannot be looked at must not end a training."""
        try:
            return self.encode(value, path)
        except Exception as error:
            self.unsaved[path] = f"{describe(value)}: {' '.join(str(error).split())[:100]}"
            return ["kept"]

    def module_parts(self, module: nn.Module, name: str) -> Node:
        """Returns what lies in a module and its modules outside its state dict; `name` is a known one's."""
        for part, inner in module.named_modules():
            self._refer(inner, ["part", name, part])
        for part, tensor in persistent_tensors(module).items():
            self._refer(tensor, ["tensor_of", name, part])
        extras = {
            part: self._parts_of(inner, f"{name}.{part}" if part else name)
            for part, inner in module.named_modules()
        }
        return {part: found for part, found in extras.items() if found}

    def _parts_of(self, module: nn.Module, path: str) -> Node:
        if _is_torchmetric(module):
            return {"": self.encode([dict(module.metric_state), module.update_count], path)}
        return self.attributes(module, extras_of(module), path)

    # --- numbers for what can be shared --------------------------------------------------------------

    def number(self, value: Any) -> int:
        """Returns the number by which others refer to an object from now on."""
        number = len(self._alive)
        self._refer(value, ["ref", number])
        return number

    def _refer(self, value: Any, reference: Node) -> None:
        self._references.setdefault(id(value), reference)
        self._alive.append(value)

    # --- tensors and numbers -------------------------------------------------------------------------

    def _tensor(self, value: Tensor, path: str) -> Node:
        number = self.number(value)
        if self._is_as_it_was(value, path):
            return ["same", number]
        gradient = None
        if value.is_leaf and value.grad is not None:
            gradient = self.add_tensor(value.grad)
        of_leaf = "parameter" if isinstance(value, nn.Parameter) else "leaf" if value.is_leaf else ""
        kind = of_leaf if value.requires_grad else ""
        return ["tensor", number, self.add_tensor(value), value.device.type, kind, gradient]

    def _is_as_it_was(self, value: Tensor, path: str) -> bool:
        if value.layout is not torch.strided or value.numel() * value.element_size() < LARGE_BYTES:
            return False
        if self._is_beginning:
            self._initial.large[path] = checksum([value])
            return True
        return path in self._initial.large and self._initial.large[path] == checksum([value])

    def add_tensor(self, value: Tensor) -> int:
        """Returns the place of a tensor among those that are written beside the tree."""
        if not self._is_beginning:  # a note of the beginning is not written
            self._tensors.append(value.detach())
        return len(self._tensors) - 1

    def _array(self, value: np.ndarray, path: str) -> Node:
        number = self.number(value)
        if value.dtype.hasobject:
            items = [self.encode(item, f"{path}[{i}]") for i, item in enumerate(value.ravel().tolist())]
            return ["objects", number, list(value.shape), items]
        data = torch.from_numpy(np.frombuffer(value.tobytes(), dtype=np.uint8).copy())
        if self._is_as_it_was(data, path):
            return ["same", number]
        dtype = np.lib.format.dtype_to_descr(value.dtype)
        return ["array", number, self.add_tensor(data), dtype, list(value.shape)]

    def _scalar(self, value: np.generic, path: str) -> Node:
        return ["scalar", value.dtype.str, _to_text(value.tobytes())]

    def items(self, values: Any, path: str) -> list[Node]:
        """Encode each of several values."""
        return [self.encode(value, f"{path}[{i}]") for i, value in enumerate(values)]

    # --- objects -------------------------------------------------------------------------------------

    def _module(self, value: nn.Module, path: str) -> Node:
        number = self.number(value)
        self._stateful_at(path, value)
        extras = self.module_parts(value, str(number))
        self._share(path, value.state_dict, gradients_of(value))
        return ["module", number, path, type(value).__name__, extras]

    def _shared_state(self, value: Any, path: str) -> Node:
        self._stateful_at(path, value)
        self._share(path, value.state_dict)
        return ["stateful", self.number(value), path, type(value).__name__, None]

    def _share(self, path: str, read: Callable[[], Any], gradients: dict[str, Tensor] | None = None) -> None:
        """Keep a state that all processes have alike: rank 0 writes it."""
        if self._is_first and not self._is_beginning:
            own = Encoder({}, InitialValues(), is_beginning=False)
            tree = own.encode(read(), path)
            self.unsaved |= own.unsaved
            self.shared[path] = {**own.to_state(tree), "gradients": gradients or {}}

    def _stateful_at(self, path: str, value: Any) -> None:
        if self._is_beginning:
            self._initial.stateful.add(path)
        elif path not in self._initial.stateful:
            self.unsaved[path] = f"{type(value).__name__}, made after __init__"

    def _enum(self, value: enum.Enum, path: str) -> Node:
        return ["enum", class_name(type(value)), self.encode(value.value, path)]

    def _object(self, value: Any, path: str) -> Node:
        if type(value).__module__.partition(".")[0] in PLAIN_LIBRARIES:
            cls, arguments = value.__reduce_ex__(4)[:2]
            nodes = self.items(arguments, path)
            return ["kept"] if ["kept"] in nodes else ["built", class_name(cls), nodes]
        if isinstance(value, ZoneInfo) and value.key:
            return ["zone", value.key]
        if isinstance(value, torch.dtype | torch.device):
            return [type(value).__name__, str(value).removeprefix("torch.")]
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            name = f"{value.__module__}:{value.__qualname__}"
            return ["named", name] if find_class(name) is value else ["kept"]
        if has_state_dict(value):
            number = self.number(value)
            self._stateful_at(path, value)
            return ["stateful", number, path, type(value).__name__, self.encode(value.state_dict(), path)]
        if is_walked(value):
            return self._walked(value, path)
        return self.not_saved(value, path)

    def _walked(self, value: Any, path: str) -> Node:
        number = self.number(value)
        values = attributes_of(value)
        if holds_data(value):
            values = {name: held for name, held in values.items() if not _is_bulk(held)}
        return ["object", number, class_name(type(value)), self.attributes(value, values, path)]

    def not_saved(self, value: Any, path: str) -> Node:
        """Leave a value out, and tell of it unless nothing of a training can depend on it."""
        if not is_constant(value):
            self.unsaved[path] = describe(value)
        return ["kept"]

    def _bytes(self, value: bytes | bytearray, path: str) -> Node:
        return [type(value).__name__, _to_text(value)]


_ENCODERS: list[tuple[Any, Callable[[Encoder, Any, str], Node]]] = [
    (enum.Enum, Encoder._enum),
    (Tensor, Encoder._tensor),
    *containers.ENCODERS,
    (np.ndarray, Encoder._array),
    (np.generic, Encoder._scalar),
    (nn.Module, Encoder._module),
    (Optimizer | LRScheduler | torch.amp.GradScaler, Encoder._shared_state),
    *random_numbers.ENCODERS,
    (bytes | bytearray, Encoder._bytes),
    (complex, lambda _, value, path: ["complex", value.real, value.imag]),
]


def gradients_of(module: nn.Module) -> dict[str, Tensor]:
    """Returns the gradients that wait in a module: a trainer may add up those of several batches itself."""
    return {
        name: parameter.grad.detach()
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }


def _is_bulk(value: Any) -> bool:
    """Whether an attribute of a data set is data: no number, no generator, no object that may hold one."""
    if type(value) in PLAIN or isinstance(value, Generator):
        return False
    return not (holds_data(value) or is_walked(value))


def _is_torchmetric(module: nn.Module) -> bool:
    return hasattr(module, "metric_state") and hasattr(module, "update_count")


def _to_text(data: bytes | bytearray) -> str:
    return base64.b85encode(data).decode()
