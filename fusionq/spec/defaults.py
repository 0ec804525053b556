"""`defaults: other.yaml`: a job file that extends others.

Later files go over earlier ones, the file itself over all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fusionq.errors import NotFoundError, SpecError
from fusionq.spec.reader import STDIN, Path_, Source, read_file
from fusionq.spec.targets import TARGET_KEYS

DEFAULTS = "defaults"
MOST_FILES = 20


def read_with_defaults(path: str | Path, environ: Mapping[str, str]) -> list[Source]:
    """The documents of a file, each on top of the files that it names. Raises NotFoundError, SpecError."""
    return [_Extender(environ).extend(source, (path,)) for source in read_file(path, environ)]


class _Extender:
    """Follows the names of one document."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._num_files = 0

    def extend(self, source: Source, chain: tuple[str | Path, ...]) -> Source:
        """`chain` are the files that led here, the present one last."""
        if not isinstance(source.data, dict) or DEFAULTS not in source.data:
            return source
        named = source.data[DEFAULTS]
        own = replace(source, data={key: v for key, v in source.data.items() if key != DEFAULTS})
        names = [named] if isinstance(named, str) else named
        if not (isinstance(names, list) and all(isinstance(name, str) and name for name in names)):
            return _with_problem(own, source, (DEFAULTS,), "names job files to extend, such as base.yaml")
        if len(names) > MOST_FILES:
            return _with_problem(own, source, (DEFAULTS,), f"a job file extends {MOST_FILES} others at most")
        result: Source | None = None
        for i, name in enumerate(names):
            place: Path_ = (DEFAULTS,) if isinstance(named, str) else (DEFAULTS, i)
            base = self._read(name, chain, source, place)
            result = base if result is None else _over(result, base)
        return _over(result, own) if result is not None else own

    def _read(self, name: str, chain: Sequence[str | Path], source: Source, place: Path_) -> Source:
        if str(chain[-1]) == STDIN:
            path = Path(name)
        else:
            path = Path(chain[-1]).parent / name
        nothing = Source(source.name, {})
        self._num_files += 1
        if self._num_files > MOST_FILES:
            return _with_problem(nothing, source, place, f"a job file extends {MOST_FILES} others at most")
        if any(_is_same(path, other) for other in chain):
            loop = " → ".join(map(str, (*chain, path)))
            return _with_problem(nothing, source, place, f"these files extend each other: {loop}")
        try:
            first, *others = read_file(path, self._environ)
        except NotFoundError:
            return _with_problem(nothing, source, place, f"there is no file {path}")
        except SpecError as error:
            return replace(nothing, problems=tuple(error.problems), is_broken=True)
        if others:
            return _with_problem(nothing, source, place, f"{path} holds several jobs; one can be extended")
        if not isinstance(first.data, dict):
            return _with_problem(nothing, source, place, f"{path} is no block of keys")
        return self.extend(first, (*chain, path))


def _is_same(path: Path, other: str | Path) -> bool:
    return path.resolve() == Path(other).resolve()


def _with_problem(result: Source, source: Source, path: Path_, message: str) -> Source:
    return replace(result, problems=(*result.problems, source.problem(path, message)), is_broken=True)


def _over(base: Source, own: Source) -> Source:
    """One source on top of another. What both say stands where the upper one says it."""
    return Source(
        own.name,
        _merge(base.data, own.data),
        {**base.places, **own.places},
        (*base.problems, *own.problems),
        base.wrong | own.wrong,
        base.is_broken or own.is_broken,
    )


def _merge(base: Any, own: Any) -> Any:
    """Blocks are merged key by key; anything else, and a block that names another target, replaces."""
    if not (isinstance(base, dict) and isinstance(own, dict)) or _names_another_target(base, own):
        return own
    return {**base, **{key: _merge(base[key], value) if key in base else value for key, value in own.items()}}


def _names_another_target(base: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    before, after = _target_of(base), _target_of(own)
    if after is None or before == after:
        return False
    short = "." not in str(before) or "." not in str(after)
    return not (short and str(before).rpartition(".")[2] == str(after).rpartition(".")[2])


def _target_of(block: Mapping[str, Any]) -> Any:
    return next((block[key] for key in TARGET_KEYS if key in block), None)
