"""Generators of random numbers to nodes and back: they go on where they were."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fusionq.engine.state.nodes import Node

if TYPE_CHECKING:
    from fusionq.engine.state.decoding import Decoder
    from fusionq.engine.state.encoding import Encoder


def _encode_torch(encoder: Encoder, value: torch.Generator, path: str) -> Node:
    return ["generator", encoder.number(value), encoder.add_tensor(value.get_state()), value.device.type]


def _decode_torch(decoder: Decoder, current: Any, number: int, index: int, device: str) -> torch.Generator:
    fits = isinstance(current, torch.Generator) and current.device.type == device
    if not decoder.in_place(number, current, fits):
        current = decoder.new(number, torch.Generator(device))
    current.set_state(decoder.tensors[index])
    return current


def _encode_python(encoder: Encoder, value: random.Random, path: str) -> Node:
    if isinstance(value, random.SystemRandom):
        return encoder.not_saved(value, path)
    return ["random", encoder.number(value), encoder.encode(value.getstate(), path)]


def _decode_python(decoder: Decoder, current: Any, number: int, node: Node) -> random.Random:
    if not decoder.in_place(number, current, isinstance(current, random.Random)):
        current = decoder.new(number, random.Random())
    current.setstate(decoder.decode(node))
    return current


def _encode_numpy(encoder: Encoder, value: np.random.Generator, path: str) -> Node:
    bits = value.bit_generator
    return ["numpy", encoder.number(value), type(bits).__name__, encoder.encode(bits.state, path)]


def _decode_numpy(decoder: Decoder, current: Any, number: int, bits: str, node: Node) -> np.random.Generator:
    fits = isinstance(current, np.random.Generator) and type(current.bit_generator).__name__ == bits
    if not decoder.in_place(number, current, fits):
        current = decoder.new(number, np.random.Generator(getattr(np.random, bits)()))
    current.bit_generator.state = decoder.decode(node)
    return current


def _encode_numpy_state(encoder: Encoder, value: np.random.RandomState, path: str) -> Node:
    return ["numpy_old", encoder.number(value), encoder.encode(value.get_state(legacy=False), path)]


def _decode_numpy_state(decoder: Decoder, current: Any, number: int, node: Node) -> np.random.RandomState:
    if not decoder.in_place(number, current, isinstance(current, np.random.RandomState)):
        current = decoder.new(number, np.random.RandomState())
    current.set_state(decoder.decode(node))
    return current


ENCODERS: list[tuple[Any, Callable[..., Node]]] = [
    (torch.Generator, _encode_torch),
    (random.Random, _encode_python),
    (np.random.Generator, _encode_numpy),
    (np.random.RandomState, _encode_numpy_state),
]
DECODERS: dict[str, Callable[..., Any]] = {
    "generator": _decode_torch,
    "random": _decode_python,
    "numpy": _decode_numpy,
    "numpy_old": _decode_numpy_state,
}
