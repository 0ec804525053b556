"""The random state of the host (Python's, NumPy's and torch's), read and put back for every batch.

Python and NumPy give their states as objects that take 10 to 70 µs to make and to take back. Their memory is
read instead (0.2 µs), after a test that it is laid out as expected; where it is not, the objects are used.
"""

from __future__ import annotations

import _random
import ctypes
import random
import struct
from typing import Any

import numpy as np
import torch

_WORDS = 624
_NUM_BYTES = 4 * (_WORDS + 1)  # the words of a Mersenne twister, and its position in them


class HostState:
    """Reads the state of the generators that code on the host draws from, and puts it back.

    Make one in each process that needs it.
    """

    def __init__(self) -> None:
        self._python = _PythonState()
        self._numpy = _NumpyState()

    def read(self) -> tuple[Any, Any, Any]:
        """Returns the present state, for `put_back`."""
        return self._python.read(), self._numpy.read(), torch.default_generator.get_state()

    def put_back(self, state: tuple[Any, Any, Any]) -> None:
        """Goes on from a state that was read."""
        of_python, of_numpy, of_torch = state
        self._python.put_back(of_python)
        self._numpy.put_back(of_numpy)
        torch.default_generator.set_state(of_torch)


class _PythonState:
    """The state of the functions of `random`."""

    _LAYOUT = struct.Struct(f"=i{_WORDS}I")

    def __init__(self) -> None:
        self._generator: Any = random._inst  # type: ignore[attr-defined]
        self._memory = self._find_memory()
        self._known: tuple[Any, Any] = (None, None)  # a state as read, and as `random.setstate` takes it

    def _find_memory(self) -> ctypes.Array | None:
        """The memory of the object behind its header, where that is where CPython keeps the state."""
        if _random.Random.__basicsize__ < object.__basicsize__ + _NUM_BYTES:
            return None
        memory = (ctypes.c_char * _NUM_BYTES).from_address(id(self._generator) + object.__basicsize__)
        position, *words = self._LAYOUT.unpack(memory.raw)
        return memory if random.getstate()[1] == (*words, position) else None

    def read(self) -> Any:
        if self._memory is None:
            return random.getstate()
        return self._memory.raw, self._generator.gauss_next

    def put_back(self, state: Any) -> None:
        if self._memory is None:
            random.setstate(state)
            return
        if self._known[0] != state:
            position, *words = self._LAYOUT.unpack(state[0])
            self._known = state, (random.Random.VERSION, (*words, position), state[1])
        random.setstate(self._known[1])


class _NumpyState:
    """The state of the functions of `numpy.random`."""

    _LAYOUT = struct.Struct(f"={_WORDS}Ii")

    def __init__(self) -> None:
        self._find_memory()

    def _find_memory(self) -> None:
        self._bits = np.random.get_bit_generator()  # also keeps alive what the memory belongs to
        self._without_second: bytes | None = None
        _, words, position, *_ = np.random.get_state()
        memory = (ctypes.c_char * _NUM_BYTES).from_address(self._bits.ctypes.state_address)
        is_as_expected = self._LAYOUT.unpack(memory.raw) == (*words.tolist(), position)
        self._memory = memory if is_as_expected else None

    def read(self) -> Any:
        if np.random.get_bit_generator() is not self._bits:
            self._find_memory()
        if self._memory is None:
            return np.random.get_state()
        # Normal numbers come in pairs, and the second is kept elsewhere. A first one moves this memory, too.
        raw = self._memory.raw
        if raw != self._without_second:
            state = np.random.get_state()
            if state[3]:
                return state
            self._without_second = raw
        return raw

    def put_back(self, state: Any) -> None:
        if not isinstance(state, bytes):
            np.random.set_state(state)
            return
        np.random.seed(0)  # forgets a second normal number
        ctypes.memmove(self._memory, state, _NUM_BYTES)
        self._without_second = state
