"""Lists, tuples, dicts and the like, and the classes that extend them, to nodes and back."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fusionq.engine.state.kinds import attributes_of, class_name
from fusionq.engine.state.nodes import ABSENT, Node, class_of

if TYPE_CHECKING:
    from fusionq.engine.state.decoding import Decoder
    from fusionq.engine.state.encoding import Encoder

_NO_ATTRIBUTES: Mapping[str, Node] = MappingProxyType({})


# --- to nodes --------------------------------------------------------------------------------------


def _encode_sequence(encoder: Encoder, value: Any, path: str) -> Node:
    number = encoder.number(value)
    most = value.maxlen if isinstance(value, deque) else None
    items, own = encoder.items(value, path), _own_attributes(encoder, value, path)
    return ["sequence", number, class_name(type(value)), items, most, own]


def _encode_tuple(encoder: Encoder, value: tuple, path: str) -> Node:
    return ["tuple", class_name(type(value)), encoder.items(value, path)]


def _encode_mapping(encoder: Encoder, value: dict, path: str) -> Node:
    number = encoder.number(value)
    items = [
        [encoder.encode(key, f"{path} key"), encoder.encode(item, f"{path}[{key!r:.40}]")]
        for key, item in value.items()
    ]
    factory = getattr(value, "default_factory", None)
    made_by = class_name(factory) if factory else ""
    own = _own_attributes(encoder, value, path)
    return ["mapping", number, class_name(type(value)), items, made_by, own]


def _own_attributes(encoder: Encoder, value: Any, path: str) -> Node:
    """Returns the attributes of a container: a class of the user's may have some."""
    return encoder.attributes(value, attributes_of(value), path)


def _encode_ends(encoder: Encoder, value: slice | range, path: str) -> Node:
    return [type(value).__name__, *encoder.items((value.start, value.stop, value.step), path)]


# --- and back --------------------------------------------------------------------------------------


def _items(decoder: Decoder, nodes: list[Node], current: Any) -> list[Any]:
    """Returns the items; what stands at the same place now is what each is put into."""
    before = list(current) if isinstance(current, list | tuple | deque) else []
    before += [ABSENT] * (len(nodes) - len(before))
    items = [decoder.decode(node, old) for node, old in zip(nodes, before, strict=False)]
    decoder.lost += [f"item {i}" for i, item in enumerate(items) if item is ABSENT]
    return [None if item is ABSENT else item for item in items]


def _decode_sequence(
    decoder: Decoder,
    current: Any,
    number: int,
    cls: str,
    nodes: list[Node],
    most: int | None,
    own: Mapping[str, Node] = _NO_ATTRIBUTES,
) -> Any:
    fits = current is not ABSENT and class_name(type(current)) == cls
    found = class_of(cls, list, deque, set, frozenset)
    if issubclass(found, frozenset):
        return decoder.new(number, frozenset(_items(decoder, nodes, None)))
    if fits and isinstance(current, deque):
        fits = current.maxlen == most
    before = current
    if not decoder.in_place(number, current, fits):
        current = decoder.new(number, found.__new__(found))
        if isinstance(current, deque):
            deque.__init__(current, maxlen=most)
    items = _items(decoder, nodes, before)
    current.clear()
    (current.update if isinstance(current, set) else current.extend)(items)
    decoder.attributes(own, current, attributes_of(current))
    return current


def _decode_tuple(decoder: Decoder, current: Any, cls: str, nodes: list[Node]) -> Any:
    items = _items(decoder, nodes, current)
    found: Any = class_of(cls, tuple)
    if found is tuple:
        value: Any = tuple(items)
    elif hasattr(found, "_make"):
        value = found._make(items)
    else:
        value = found(items)
    is_same = isinstance(current, tuple) and len(current) == len(value)
    return current if is_same and all(a is b for a, b in zip(current, value, strict=True)) else value


def _decode_mapping(
    decoder: Decoder,
    current: Any,
    number: int,
    cls: str,
    nodes: list[list[Node]],
    factory: str,
    own: Mapping[str, Node] = _NO_ATTRIBUTES,
) -> Any:
    fits = current is not ABSENT and class_name(type(current)) == cls
    before = dict(current) if isinstance(current, dict) else {}
    if not decoder.in_place(number, current, fits):
        found = class_of(cls, dict)
        current = decoder.new(number, found.__new__(found))
        if factory:
            current.default_factory = class_of(factory, object)
    items = []
    for key_node, node in nodes:
        key = decoder.decode(key_node)
        value = decoder.decode(node, before.get(key, ABSENT))
        if value is ABSENT:
            decoder.lost.append(f"[{key!r:.40}]")
        else:
            items.append((key, value))
    base = OrderedDict if isinstance(current, OrderedDict) else dict
    base.clear(current)
    for key, value in items:
        base.__setitem__(current, key, value)
    decoder.attributes(own, current, attributes_of(current))
    return current


def _decode_slice(decoder: Decoder, current: Any, *nodes: Node) -> slice:
    return slice(*map(decoder.decode, nodes))


def _decode_range(decoder: Decoder, current: Any, *nodes: Node) -> range:
    return range(*map(decoder.decode, nodes))


ENCODERS: list[tuple[Any, Callable[..., Node]]] = [
    (tuple, _encode_tuple),
    (dict, _encode_mapping),
    (list | deque | set | frozenset, _encode_sequence),
    (slice | range, _encode_ends),
]
DECODERS: dict[str, Callable[..., Any]] = {
    "sequence": _decode_sequence,
    "tuple": _decode_tuple,
    "mapping": _decode_mapping,
    "slice": _decode_slice,
    "range": _decode_range,
}
