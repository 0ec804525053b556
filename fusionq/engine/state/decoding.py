"""From what `encoding` wrote back to objects: into those that are there already, wherever that can be.

What is there was built by the job's own code, with all that no checkpoint holds; and others may refer to it.
"""

from __future__ import annotations

import base64
import enum
import json
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import torch
from torch import Tensor, nn

from fusionq.engine.state.encoding import Node
from fusionq.engine.state.kinds import (
    PLAIN_LIBRARIES,
    attributes_of,
    class_name,
    find_class,
    persistent_tensors,
    set_attribute,
)
from fusionq.engine.state.tensors import unpack

_ABSENT: Any = object()


class _UnknownClassError(Exception):
    """The job's code has no such class, or has not imported it yet."""


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
        self._tensors = unpack(state["tensors"])
        self._known = known
        self._shared = shared
        self._device = device
        self._objects: dict[str, Any] = {}  # by the number of each
        self._taken: set[int] = set()
        for value in known.values():
            self._take_tensors_of(value)

    def decode(self, node: Node, current: Any = _ABSENT) -> Any:
        """Returns the value of a node; `current` is what stands in its place now."""
        if type(node) is not list:
            return node
        return _DECODERS[node[0]](self, current, *node[1:])

    def attributes(self, nodes: Mapping[str, Node], owner: Any, current: Mapping[str, Any]) -> None:
        """Set those attributes of `owner`."""
        for name, node in nodes.items():
            before = current.get(name, _ABSENT)
            try:
                value = self.decode(node, before)
            except _UnknownClassError:
                value = _ABSENT
            if value is _ABSENT:
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

    def _in_place(self, number: Any, current: Any, fits: bool) -> bool:
        """Whether `current` becomes the object of that number."""
        if current is _ABSENT or not fits or id(current) in self._taken:
            return False
        self._taken.add(id(current))
        self._objects[str(number)] = current
        return True

    def _take_tensors_of(self, value: Any) -> None:
        """What belongs to a module is put back with it, and is nobody else's to write into."""
        if isinstance(value, nn.Module):
            self._taken |= {id(tensor) for tensor in persistent_tensors(value).values()}

    def _new(self, number: Any, value: Any) -> Any:
        self._objects[str(number)] = value
        self._taken.add(id(value))
        return value

    def _kept(self, current: Any) -> Any:
        return current

    def _same(self, current: Any, number: int) -> Any:
        return current if current is _ABSENT else self._new(number, current)

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
        value = self._tensors[index]
        if device != "cpu":
            value = value.to(self._device)
        fits = (
            isinstance(current, Tensor)
            and (current.is_leaf and current.requires_grad) == bool(kind)
            and (current.shape, current.dtype, current.layout) == (value.shape, value.dtype, value.layout)
        )
        if self._in_place(number, current, fits):
            with torch.no_grad():
                current.copy_(value)
            value = current
        else:
            if kind:
                value = nn.Parameter(value) if kind == "parameter" else value.requires_grad_()
            self._new(number, value)
        if gradient is not None:
            value.grad = self._tensors[gradient].to(value.device)
        return value

    def _array(self, current: Any, number: int, index: int, dtype: Any, shape: list[int]) -> np.ndarray:
        descr = dtype if isinstance(dtype, str) else [tuple(field) for field in dtype]
        data = self._tensors[index].numpy().tobytes()
        value = np.frombuffer(data, dtype=np.lib.format.descr_to_dtype(descr)).reshape(shape).copy()
        fits = isinstance(current, np.ndarray) and (current.shape, current.dtype) == (
            value.shape,
            value.dtype,
        )
        if fits and current.flags.writeable and self._in_place(number, current, True):
            current[...] = value
            return current
        return self._new(number, value)

    def _objects_array(self, current: Any, number: int, shape: list[int], items: list[Node]) -> np.ndarray:
        value = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            value[i] = self.decode(item)
        return self._new(number, value.reshape(shape))

    def _scalar(self, current: Any, dtype: str, data: str) -> Any:
        return np.frombuffer(_to_bytes(data), dtype=dtype)[0]

    # --- containers ----------------------------------------------------------------------------------

    def _items(self, nodes: list[Node], current: Any) -> list[Any]:
        """Returns the items; what stands at the same place now is what each is put into."""
        before = list(current) if isinstance(current, list | tuple | deque) else []
        before += [_ABSENT] * (len(nodes) - len(before))
        items = [self.decode(node, old) for node, old in zip(nodes, before, strict=False)]
        self.lost += [f"item {i}" for i, item in enumerate(items) if item is _ABSENT]
        return [None if item is _ABSENT else item for item in items]

    def _sequence(
        self,
        current: Any,
        number: int,
        cls: str,
        nodes: list[Node],
        most: int | None,
        own: Mapping[str, Node] = MappingProxyType({}),
    ) -> Any:
        fits = current is not _ABSENT and class_name(type(current)) == cls
        found = _class_of(cls, list, deque, set, frozenset)
        if issubclass(found, frozenset):
            return self._new(number, frozenset(self._items(nodes, None)))
        if fits and isinstance(current, deque):
            fits = current.maxlen == most
        before = current
        if not self._in_place(number, current, fits):
            current = self._new(number, found.__new__(found))
            if isinstance(current, deque):
                deque.__init__(current, maxlen=most)
        items = self._items(nodes, before)
        current.clear()
        (current.update if isinstance(current, set) else current.extend)(items)
        self.attributes(own, current, attributes_of(current))
        return current

    def _tuple(self, current: Any, cls: str, nodes: list[Node]) -> Any:
        items = self._items(nodes, current)
        found: Any = _class_of(cls, tuple)
        if found is tuple:
            value: Any = tuple(items)
        elif hasattr(found, "_make"):
            value = found._make(items)
        else:
            value = found(items)
        is_same = isinstance(current, tuple) and len(current) == len(value)
        return current if is_same and all(a is b for a, b in zip(current, value, strict=True)) else value

    def _mapping(
        self,
        current: Any,
        number: int,
        cls: str,
        nodes: list[list[Node]],
        factory: str,
        own: Mapping[str, Node] = MappingProxyType({}),
    ) -> Any:
        fits = current is not _ABSENT and class_name(type(current)) == cls
        before = dict(current) if isinstance(current, dict) else {}
        if not self._in_place(number, current, fits):
            found = _class_of(cls, dict)
            current = self._new(number, found.__new__(found))
            if factory:
                current.default_factory = _class_of(factory, object)  # type: ignore[attr-defined]
        items = []
        for key_node, node in nodes:
            key = self.decode(key_node)
            value = self.decode(node, before.get(key, _ABSENT))
            if value is _ABSENT:
                self.lost.append(f"[{key!r:.40}]")
            else:
                items.append((key, value))
        base = OrderedDict if isinstance(current, OrderedDict) else dict
        base.clear(current)
        for key, value in items:
            base.__setitem__(current, key, value)
        self.attributes(own, current, attributes_of(current))
        return current

    def _ends(self, kind: type, nodes: tuple[Node, ...]) -> Any:
        return kind(*map(self.decode, nodes))

    # --- random numbers ------------------------------------------------------------------------------

    def _generator(self, current: Any, number: int, index: int, device: str) -> torch.Generator:
        fits = isinstance(current, torch.Generator) and current.device.type == device
        if not self._in_place(number, current, fits):
            current = self._new(number, torch.Generator(device))
        current.set_state(self._tensors[index])
        return current

    def _random(self, current: Any, number: int, node: Node) -> random.Random:
        if not self._in_place(number, current, isinstance(current, random.Random)):
            current = self._new(number, random.Random())
        current.setstate(self.decode(node))
        return current

    def _numpy(self, current: Any, number: int, bits: str, node: Node) -> np.random.Generator:
        fits = isinstance(current, np.random.Generator) and type(current.bit_generator).__name__ == bits
        if not self._in_place(number, current, fits):
            current = self._new(number, np.random.Generator(getattr(np.random, bits)()))
        current.bit_generator.state = self.decode(node)
        return current

    def _numpy_old(self, current: Any, number: int, node: Node) -> np.random.RandomState:
        if not self._in_place(number, current, isinstance(current, np.random.RandomState)):
            current = self._new(number, np.random.RandomState())
        current.set_state(self.decode(node))
        return current

    # --- objects -------------------------------------------------------------------------------------

    def _module(self, current: Any, number: int, path: str, kind: str, extras: Any) -> Any:
        if self._restore(current, number, path, kind):
            self._take_tensors_of(current)
            self.module_parts(extras, current)
        return current

    def _stateful(self, current: Any, number: int, path: str, kind: str, node: Node) -> Any:
        if node is None:
            self._restore(current, number, path, kind)
        elif self._in_place(number, current, type(current).__name__ == kind):
            current.load_state_dict(self.decode(node))
        else:
            self.lost.append(f"{path} ({kind})")
        return current

    def _restore(self, current: Any, number: int, path: str, kind: str) -> bool:
        """Load a state that all processes share. False where nothing is there to take it."""
        if not self._in_place(number, current, type(current).__name__ == kind) or path not in self._shared:
            self.lost.append(f"{path} ({kind})")
            return False
        state = self._shared[path]
        own = Decoder(state, {}, {}, self._device)
        current.load_state_dict(own.decode(own.tree))
        restore_gradients(current, state["gradients"])
        return True

    def _object(self, current: Any, number: int, cls: str, nodes: Mapping[str, Node]) -> Any:
        fits = current is not _ABSENT and class_name(type(current)) == cls
        if not self._in_place(number, current, fits):
            found = _class_of(cls, object)
            if found.__new__ is not object.__new__ and not issubclass(found, SimpleNamespace):
                raise _UnknownClassError
            current = self._new(number, found.__new__(found))
        self.attributes(nodes, current, attributes_of(current))
        return current

    def _enum(self, current: Any, cls: str, node: Node) -> Any:
        return _class_of(cls, enum.Enum)(self.decode(node))

    def _named(self, current: Any, name: str) -> Any:
        found = find_class(name)
        return current if found is None else found

    def _zone(self, current: Any, name: str) -> Any:
        try:
            return ZoneInfo(name)
        except ZoneInfoNotFoundError:  # this machine has no such zone
            raise _UnknownClassError from None

    def _built(self, current: Any, cls: str, nodes: list[Node]) -> Any:
        if cls.partition(":")[0].partition(".")[0] not in PLAIN_LIBRARIES:
            raise _UnknownClassError
        return _class_of(cls, object)(*(self.decode(node) for node in nodes))


def _class_of(name: str, *bases: type) -> type:
    """Returns the class of that name, where it extends one of `bases`: no other is called."""
    found = find_class(name)
    if not isinstance(found, type) or not issubclass(found, bases):
        raise _UnknownClassError
    return found


def restore_gradients(module: Any, gradients: Mapping[str, Tensor]) -> None:
    """Put back the gradients that waited in a module."""
    parameters = dict(module.named_parameters()) if gradients else {}
    for name, gradient in gradients.items():
        if name in parameters:
            parameters[name].grad = gradient.to(parameters[name].device)


_DECODERS: dict[str, Callable[..., Any]] = {
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
    "sequence": Decoder._sequence,
    "tuple": Decoder._tuple,
    "mapping": Decoder._mapping,
    "generator": Decoder._generator,
    "random": Decoder._random,
    "numpy": Decoder._numpy,
    "numpy_old": Decoder._numpy_old,
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
    "slice": lambda self, current, *ends: self._ends(slice, ends),
    "range": lambda self, current, *ends: self._ends(range, ends),
    "zone": Decoder._zone,
    "dtype": lambda _, current, name: getattr(torch, name),
    "device": lambda _, current, name: torch.device(name),
}


def _to_bytes(text: str) -> bytes:
    return base64.b85decode(text)
