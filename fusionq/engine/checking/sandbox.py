"""A place to try things in: nothing that happens there is seen outside, and nothing goes over the network."""

from __future__ import annotations

import contextlib
import logging
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from fusionq.engine.randomness import random_state, restore_random_state

_LOUD = "torch._subclasses.fake_tensor"  # logs a traceback of each error that we are about to explain


@contextlib.contextmanager
def unchanged(workdir: Path) -> Iterator[None]:
    """Work in `workdir`; afterwards torch's and the process's settings are what they were."""
    numbers = random_state()
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    logger = logging.getLogger(_LOUD)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            stack.enter_context(torch.enable_grad())
            if workdir.is_dir():
                stack.enter_context(contextlib.chdir(workdir))
            stack.enter_context(_without_network())
            yield
    finally:
        logger.setLevel(level)
        torch.backends.cudnn.benchmark = benchmark
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        restore_random_state(numbers)


@contextlib.contextmanager
def _without_network() -> Iterator[None]:
    """A constructor that wants to download fails at once, and harmlessly: see `only_lacks_numbers`."""
    names = ("connect", "connect_ex")
    kept = {name: vars(socket.socket).get(name) for name in names}
    lookup = socket.getaddrinfo

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("the check of a job opens no connections")

    try:
        for name in names:
            setattr(socket.socket, name, refuse)
        socket.getaddrinfo = refuse
        yield
    finally:
        socket.getaddrinfo = lookup
        for name, method in kept.items():
            if method is None:
                delattr(socket.socket, name)
            else:
                setattr(socket.socket, name, method)
