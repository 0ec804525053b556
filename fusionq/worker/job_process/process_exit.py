"""Ends a job process as Python ends a process: what the user's code has left to its end is done.

A process that leaves by `os._exit` alone cuts off the files that live until the end, and runs nothing that
waits for it. The interpreter's own end takes down torch as well, which takes longer than many a job, and may
crash with a GPU. So its steps are taken here in their order, for what came since the fork alone: threads,
`atexit`, the user's modules, open files.
"""

from __future__ import annotations

import _io
import atexit
import ctypes
import faulthandler
import gc
import io
import os
import sys
import sysconfig
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NoReturn

LIMIT_S = 10.0
AND_WITHOUT_PYTHON_S = 5.0  # after which C code ends it that lets no Python run

_LIBRARIES = tuple(
    {
        *(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        str(Path(__file__).parents[2]) + os.sep,
    }
)
_PACKAGES = frozenset({"site-packages", "dist-packages"})
_FILE = _io._IOBase  # of all files; io.IOBase itself takes longer to ask
_BUFFERS = (io.BufferedWriter, io.BufferedRandom, io.BufferedRWPair)

_last_present = ""  # the last module that was imported before any job began


def note_what_is_there() -> None:
    """In the fork server: what is there now is none of a job's business when that ends."""
    global _last_present
    _last_present = next(reversed(sys.modules))
    gc.freeze()
    for finalizer in list(weakref.finalize._registry):
        finalizer.atexit = False  # such as a folder of the fork server's own, which others still need


def leave(code: int, limit_s: float = LIMIT_S) -> NoReturn:
    """End the process with this exit code, whatever goes wrong meanwhile, within the time limit."""
    step = _Step()
    watch = threading.Thread(target=_end_late, args=(code, step, limit_s), daemon=True, name="exit")
    try:
        faulthandler.dump_traceback_later(limit_s + AND_WITHOUT_PYTHON_S, exit=True, file=2)
        watch.start()
        for step.words, act in _STEPS:
            _try(act)
    finally:
        flush_output()
        os._exit(code)


def flush_files() -> None:
    """Write out what open files still hold, before a fork, which would write it once more."""
    for file in _open_files():
        _try(file.flush)
    flush_output()


class _Step:
    words = ""


def _end_late(code: int, step: _Step, limit_s: float) -> None:
    threading.Event().wait(limit_s)
    text = f"WARNING: the process was ended {limit_s:g} s after its job was over, while it {step.words}\n"
    os.write(2, text.encode())
    os._exit(code)


def _try(act: Callable[[], object]) -> None:
    try:
        act()
    except BaseException as error:  # the job is over; its outcome stands
        _try_to_show(error)


def _try_to_show(error: BaseException) -> None:
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except BaseException:
        pass


def _clear_modules() -> None:
    """Take away what the user's modules hold, the last first: what is collected finishes its work."""
    own = list(filter(_is_users, _modules_since()))
    if not own:
        return
    threading.excepthook = lambda _: None  # daemon threads lose what they work with, and would say so
    for module in own:
        names = [name for name in vars(module) if name != "__builtins__"]
        # As Python does it: what is private goes first.
        for name in sorted(names, key=lambda name: not name.startswith("_")):
            vars(module)[name] = None
    gc.collect()


def _modules_since() -> Iterator[ModuleType]:
    """Those that the job imported, the last first: to touch the others would copy memory that is shared."""
    for name in reversed(sys.modules):
        if name == _last_present:
            return
        yield sys.modules[name]


def _is_users(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return (
        isinstance(file, str) and not file.startswith(_LIBRARIES) and _PACKAGES.isdisjoint(Path(file).parts)
    )


def _close_files() -> None:
    for file in _open_files():
        _try(file.flush if _is_output(file) else file.close)


def _open_files() -> list[io.IOBase]:
    """What may hold something that is not written, the outermost first. What was frozen is not looked at."""
    found = [item for item in gc.get_objects() if issubclass(type(item), _FILE) and _is_open_to_write(item)]
    return sorted(found, key=lambda file: (not isinstance(file, io.TextIOBase), type(file) in _BUFFERS))


def _is_output(file: io.IOBase) -> bool:
    """Whether it is what the process prints to, which is written to until the very end."""
    try:
        return file.fileno() in (1, 2)
    except Exception:
        return False


def _is_open_to_write(file: io.IOBase) -> bool:
    try:
        return not file.closed and file.writable()
    except Exception:
        return False


def flush_output() -> None:
    """What Python and C have buffered of the output."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    ctypes.CDLL(None).fflush(None)


_STEPS: tuple[tuple[str, Callable[[], object]], ...] = (
    ("waited for its threads", threading._shutdown),
    ("ran what was registered with atexit", atexit._run_exitfuncs),
    ("took down the modules of the job", _clear_modules),
    ("closed its files", _close_files),
)
