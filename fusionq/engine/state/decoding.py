"""From what `encoding` wrote back to objects: into those that are there already, wherever that can be.

What is there was built by the job's own code, with all that no checkpoint holds; and others may refer to it.
"""

from __future__ import annotations

import base64
import enum
import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import torch
from torch import Tensor, nn

from fusionq.engine.state import containers, random_numbers
from fusionq.engine.state.kinds import (
    PLAIN_LIBRARIES,
    attributes_of,
    class_name,
    find_class,
    persistent_tensors,
    set_attribute,
)
from fusionq.engine.state.nodes import ABSENT, Node, UnknownClassError, class_of
from fusionq.engine.state.tensors import unpack


class Decoder:
    """Puts back one tree. `known` and `shared` are what the encoder was given and what it left there."""

    def __init__(
        self,
        state: Mapping[str, Any],
        known: Mapping[str, Any],
        shared: Mapping[str, Any],
        device: torch.device,
    ) -> None:
        self.tree: Node = json.loads(state["tree"])
        self.lost: list[str] = []  # what the checkpoint holds and nobody takes
        self.tensors = unpack(state["tensors"])
        self._known = known
        self._shared = shared
        self._device = device
        self._objects: dict[str, Any] = {}  # by the number of each
        self._taken: set[int] = set()
        for value in known.values():
            self._take_tensors_of(value)

    def decode(self, node: Node, current: Any = ABSENT) -> Any:
        """Returns the value of a node; `current` is what stands in its place now."""
        if type(node) is not list:
            return node
        return _DECODERS[node[0]](self, current, *node[1:])

    def attributes(self, nodes: Mapping[str, Node], owner: Any, current: Mapping[str, Any]) -> None:
        """Set those attributes of `owner`."""
        for name, node in nodes.items():
            before = current.get(name, ABSENT)
            try:
                value = self.decode(node, before)
            except UnknownClassError:
                value = ABSENT
            if value is ABSENT:
                self.lost.append(f"{type(owner).__name__}.{name}")
            elif value is not before:
                set_attribute(owner, name, value)

    def module_parts(self, nodes: Mapping[str, Node], module: nn.Module) -> None:
        """Put back what lies outside a module's state dict."""
        modules = dict(module.named_modules())
        for part, extras in nodes.items():
            inner = modules.get(part)
            if inner is None:
                self.lost.append(part)
            elif "" in extras:
                self._torchmetric(inner, *self.decode(extras[""]))
            else:
                self.attributes(extras, inner, {**vars(inner), **inner._buffers})

    def _torchmetric(self, metric: Any, state: dict[str, Any], updates: int) -> None:
        metric.reset()
        for name, value in state.items():
            setattr(metric, name, value)
        metric._update_count = updates
        metric._computed = None

    # --- which object it is --------------------------------------------------------------------------

    def in_place(self, number: Any, current: Any, fits: bool) -> bool:
        """Whether `current` becomes the object of that number."""
        if current is ABSENT or not fits or id(current) in self._taken:
            return False
        self._taken.add(id(current))
        self._objects[str(number)] = current
        return True

    def _take_tensors_of(self, value: Any) -> None:
        """What belongs to a module is put back with it, and is nobody else's to write into."""
        if isinstance(value, nn.Module):
            self._taken |= {id(tensor) for tensor in persistent_tensors(value).values()}

    def new(self, number: Any, value: Any) -> Any:
        """Returns `value`, which becomes the object of that number."""
        self._objects[str(number)] = value
        self._taken.add(id(value))
        return value

    def _kept(self, current: Any) -> Any:
        return current

    def _same(self, current: Any, number: int) -> Any:
        return current if current is ABSENT else self.new(number, current)

    def _ref(self, current: Any, number: int) -> Any:
        return self._objects.get(str(number), current)

    def _known_one(self, current: Any, name: str) -> Any:
        return self._known.get(name, current)

    def _part(self, current: Any, name: str, part: str) -> Any:
        owner = self._owner(name)
        return current if owner is None else dict(owner.named_modules()).get(part, current)

    def _tensor_of(self, current: Any, name: str, part: str) -> Any:
        owner = self._owner(name)
        if owner is None:
            return current
        return persistent_tensors(owner).get(part, current)

    def _owner(self, name: str) -> Any:
        return self._objects.get(name, self._known.get(name))

    # --- tensors and numbers -------------------------------------------------------------------------

    def _tensor(
        self, current: Any, number: int, index: int, device: str, kind: str, gradient: int | None
    ) -> Tensor:
        value = self.tensors[index]
        if device != "cpu":
            value = value.to(self._device)
        fits = (
            isinstance(current, Tensor)
            and (current.is_leaf and current.requires_grad) == bool(kind)
            and (current.shape, current.dtype, current.layout) == (value.shape, value.dtype, value.layout)
        )
        if self.in_place(number, current, fits):
            with torch.no_grad():
                current.copy_(value)
            value = current
        else:
            if kind:
                value = nn.Parameter(value) if kind == "parameter" else value.requires_grad_()
            self.new(number, value)
        if gradient is not None:
            value.grad = self.tensors[gradient].to(value.device)
        return value

    def _array(self, current: Any, number: int, index: int, dtype: Any, shape: list[int]) -> np.ndarray:
        descr = dtype if isinstance(dtype, str) else [tuple(field) for field in dtype]
        data = self.tensors[index].numpy().tobytes()
        value = np.frombuffer(data, dtype=np.lib.format.descr_to_dtype(descr)).reshape(shape).copy()
        fits = isinstance(current, np.ndarray) and (current.shape, current.dtype) == (
            value.shape,
            value.dtype,
        )
        if fits and current.flags.writeable and self.in_place(number, current, True):
            current[...] = value
            return current
        return self.new(number, value)

    def _objects_array(self, current: Any, number: int, shape: list[int], items: list[Node]) -> np.ndarray:
        value = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            value[i] = self.decode(item)
        return self.new(number, value.reshape(shape))

    def _scalar(self, current: Any, dtype: str, data: str) -> Any:
        return np.frombuffer(_to_bytes(data), dtype=dtype)[0]

    # --- objects -------------------------------------------------------------------------------------

    def _module(self, current: Any, number: int, path: str, kind: str, extras: Any) -> Any:
        if self._restore(current, number, path, kind):
            self._take_tensors_of(current)
            self.module_parts(extras, current)
        return current

    def _stateful(self, current: Any, number: int, path: str, kind: str, node: Node) -> Any:
        if node is None:
            self._restore(current, number, path, kind)
        elif self.in_place(number, current, type(current).__name__ == kind):
            current.load_state_dict(self.decode(node))
        else:
            self.lost.append(f"{path} ({kind})")
        return current

    def _restore(self, current: Any, number: int, path: str, kind: str) -> bool:
        """Load a state that all processes share. False where nothing is there to take it."""
        if not self.in_place(number, current, type(current).__name__ == kind) or path not in self._shared:
            self.lost.append(f"{path} ({kind})")
            return False
        state = self._shared[path]
        own = Decoder(state, {}, {}, self._device)
        current.load_state_dict(own.decode(own.tree))
        restore_gradients(current, state["gradients"])
        return True

    def _object(self, current: Any, number: int, cls: str, nodes: Mapping[str, Node]) -> Any:
        fits = current is not ABSENT and class_name(type(current)) == cls
        if not self.in_place(number, current, fits):
            found = class_of(cls, object)
            if found.__new__ is not object.__new__ and not issubclass(found, SimpleNamespace):
                raise UnknownClassError
            current = self.new(number, found.__new__(found))
        self.attributes(nodes, current, attributes_of(current))
        return current

    def _enum(self, current: Any, cls: str, node: Node) -> Any:
        return class_of(cls, enum.Enum)(self.decode(node))

    def _named(self, current: Any, name: str) -> Any:
        found = find_class(name)
        return current if found is None else found

    def _zone(self, current: Any, name: str) -> Any:
        try:
            return ZoneInfo(name)
        except ZoneInfoNotFoundError:  # this machine has no such zone
            raise UnknownClassError from None

    def _built(self, current: Any, cls: str, nodes: list[Node]) -> Any:
        if cls.partition(":")[0].partition(".")[0] not in PLAIN_LIBRARIES:
            raise UnknownClassError
        return class_of(cls, object)(*(self.decode(node) for node in nodes))


def restore_gradients(module: Any, gradients: Mapping[str, Tensor]) -> None:
    """Put back the gradients that waited in a module."""
    parameters = dict(module.named_parameters()) if gradients else {}
    for name, gradient in gradients.items():
        if name in parameters:
            parameters[name].grad = gradient.to(parameters[name].device)


_DECODERS: dict[str, Callable[..., Any]] = {
    **containers.DECODERS,
    **random_numbers.DECODERS,
    "kept": Decoder._kept,
    "same": Decoder._same,
    "ref": Decoder._ref,
    "known": Decoder._known_one,
    "part": Decoder._part,
    "tensor_of": Decoder._tensor_of,
    "tensor": Decoder._tensor,
    "array": Decoder._array,
    "objects": Decoder._objects_array,
    "scalar": Decoder._scalar,
    "module": Decoder._module,
    "stateful": Decoder._stateful,
    "object": Decoder._object,
    "enum": Decoder._enum,
    "named": Decoder._named,
    "built": Decoder._built,
    "complex": lambda _, current, real, imag: complex(real, imag),
    "bytes": lambda _, current, text: _to_bytes(text),
    "bytearray": lambda _, current, text: bytearray(_to_bytes(text)),
    "int": lambda _, current, text: int(text, 16),
    "zone": Decoder._zone,
    "dtype": lambda _, current, name: getattr(torch, name),
    "device": lambda _, current, name: torch.device(name),
}


def _to_bytes(text: str) -> bytes:
    return base64.b85decode(text)
