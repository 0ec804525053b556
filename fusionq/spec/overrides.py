"""`key.path=value`, `key.path+=value` and `~key.path` from the command line, on top of a job file."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from fusionq.errors import Problem, SpecError
from fusionq.spec.near import did_you_mean
from fusionq.spec.places import Place
from fusionq.spec.reader import Path_, Source, read_scalar, read_text
from fusionq.spec.secrets import mask_value
from fusionq.spec.sweep import PARAMS, SWEEP
from fusionq.spec.text_values import ENV, is_text

REMOVE = "~"

_NOT_PLAIN = "'\"|>[{"
_BRACKETS = re.compile(r"['\"\[\](){}]")


MORE = "+"


class OptionOverride(str):
    """An override that an option of the command line stands for; messages say `shown` in its place."""

    shown: str

    def __new__(cls, text: str, *, shown: str) -> OptionOverride:
        made = super().__new__(cls, text)
        made.shown = shown
        return made


def is_override(word: str) -> bool:
    """Whether a word of a command line, which may be a name too, is an override."""
    return "=" in word or word.startswith(REMOVE)


def override_text(key: str, value: Any) -> str:
    """Returns the override that sets a key to this value; what is valid JSON is valid YAML."""
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def override_texts(values: Mapping[str, Any]) -> list[str]:
    """Returns an override for each key."""
    return [override_text(key, value) for key, value in values.items()]


def apply_overrides(source: Source, overrides: Iterable[str], environ: Mapping[str, str]) -> Source:
    """The source with every override in it; what is wrong with one stands in its `problems`.

    A later message about a value that came from an override names that override.
    """
    changed = Changes(source)
    for override in overrides:
        _apply(changed, override, environ)
    return changed.source()


def overridden(overrides: Iterable[str], data: Any) -> dict[str, Any]:
    """Returns the values that overrides set, by their dotted keys, with secrets in them masked.

    Left out are those of options such as --name, and environment variables, which may be secrets.
    """
    found = {}
    for override in overrides:
        key, equals, _ = override.partition("=")
        key = key.removesuffix(MORE)
        steps = key.split(".")
        if equals and not isinstance(override, OptionOverride) and steps[0] != ENV:
            found[key] = mask_value(key, _value_at(data, steps))
    return found


def _value_at(data: Any, steps: Iterable[str]) -> Any:
    for step in steps:
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


def _apply(changed: Changes, override: str, environ: Mapping[str, str]) -> None:
    name = override.shown if isinstance(override, OptionOverride) else f"override {override!r}"
    try:
        if override.startswith(REMOVE) and "=" not in override:
            changed.remove(override[1:], name)
            return
        key, equals, text = override.partition("=")
        is_more = key.endswith(MORE)
        key = key.removesuffix(MORE)
        if not equals or not key.strip("."):
            raise _refusal(name, "write key.path=value, such as optimizer.lr=1e-2, or ~key.path")
        values = _values(text, name, environ, tuple(key.split(".")))
        if is_more:
            changed.append(key, values, name)
        elif len(values) == 1:
            changed.put(key, values[0], name)
        else:
            changed.sweep(key, values, name)
    except SpecError as error:
        changed.problems += error.problems


def _values(text: str, name: str, environ: Mapping[str, str], path: Path_) -> list[Any]:
    """One value, or (`1e-3,1e-4`) those of a grid."""
    if not text.strip():
        return ["" if path[0] == ENV and len(path) > 1 else None]
    text = _as_yaml(text, path)
    try:
        source = read_text(text, name, environ, path)
    except SpecError as error:
        return _grid(text, name, environ, path) or _refuse(error)
    if source.problems:
        raise SpecError(list(source.problems))
    is_plain = isinstance(source.data, str) and text.lstrip()[0] not in _NOT_PLAIN
    return (is_plain and _grid(text, name, environ, path)) or [source.data]


def _as_yaml(text: str, path: Path_) -> str:
    """Returns the text in quotes where it is text as a whole, whatever YAML would make of its signs."""
    if text.lstrip()[0] in _NOT_PLAIN or read_scalar(text.strip()) is None:
        return text
    is_whole = is_text(path) and "," not in text
    return _quoted(text.strip()) if is_whole or text.lstrip().startswith("#") else text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _grid(text: str, name: str, environ: Mapping[str, str], path: Path_) -> list[Any]:
    """The values between commas; [] where there are not two or more."""
    if "," not in text:
        return []
    if not _BRACKETS.search(text) and not all(part.strip() for part in text.split(",")):
        raise _refusal(name, "a value is missing beside a comma; text that holds commas wants quotes")
    try:
        source = read_text(f"[{text}]", name, environ, path)
    except SpecError:
        return []
    is_list = isinstance(source.data, list) and len(source.data) > 1 and not source.problems
    return source.data if is_list and None not in source.data else []


def _refuse(error: SpecError) -> list[Any]:
    raise error


class Changes:
    """A source that is being changed: its data, and who says what of it."""

    def __init__(self, source: Source) -> None:
        self._before = source
        self._data = copy.deepcopy(source.data)
        self._places = dict(source.places)
        self.problems: list[Problem] = []

    def source(self) -> Source:
        before = self._before
        return replace(
            before, data=self._data, places=self._places, problems=(*before.problems, *self.problems)
        )

    def put(self, dotted: str, value: Any, name: str, place: Place | None = None) -> None:
        """Put a value at a path. Blocks on the way are made, list items must be there. Raises SpecError."""
        steps = dotted.split(".")
        parent, path, made = self._data, (), None
        for step in steps[:-1]:
            key = _key(parent, step, name)
            path = (*path, key)
            if isinstance(parent, dict) and parent.get(key) is None:
                parent[key] = {}
                made = made or path
            parent = parent[key]
        key = _key(parent, steps[-1], name)
        parent[key] = value
        self._stands_at(made or (*path, key), place or Place(name))
        self._forget_param(dotted)

    def append(self, dotted: str, values: list[Any], name: str) -> None:
        """Add items to a list, which is made where there is none. Raises SpecError where it is no list."""
        before = _value_at(self._data, dotted.split("."))
        if isinstance(before, dict):
            raise _refusal(name, f"{dotted} is a block and no list")
        items = before if isinstance(before, list) else [] if before is None else [before]
        added = [item for value in values for item in (value if isinstance(value, list) else [value])]
        self.put(dotted, [*items, *added], name)

    def remove(self, dotted: str, name: str) -> None:
        """Take a key or an item away. Raises SpecError where there is none."""
        steps = dotted.split(".")
        parent, path = self._data, ()
        for step in steps[:-1]:
            key = _key(parent, step, name)
            if isinstance(parent, dict) and key not in parent:
                raise _refusal(name, f"there is no {step!r} to remove{did_you_mean(step, parent)}")
            parent, path = parent[key], (*path, key)
        key = _key(parent, steps[-1], name)
        if isinstance(parent, dict) and key not in parent:
            raise _refusal(name, f"there is no {key!r} to remove{did_you_mean(str(key), parent)}")
        del parent[key]
        if isinstance(parent, list):
            # Items behind it have moved up; the list as a whole still stands where it stood.
            self._drop_places(path, keep_itself=True)
        else:
            self._drop_places((*path, key))

    def sweep(self, dotted: str, values: list[Any], name: str) -> None:
        """Make a grid over these values. Raises SpecError where the file lists its trials."""
        if not isinstance(self._data, dict):
            return
        section = self._data.get(SWEEP) or {}
        params = section.get(PARAMS, {}) if isinstance(section, dict) else None
        if not isinstance(params, dict):
            raise _refusal(name, "the file lists its trials one by one; change the list, or give one value")
        self._data[SWEEP] = {**section, PARAMS: {**params, dotted: values}}
        self._stands_at((SWEEP, PARAMS, dotted), Place(name))

    def _forget_param(self, dotted: str) -> None:
        """One value that a person types goes over the values of the file's sweep."""
        section = self._data.get(SWEEP) if isinstance(self._data, dict) else None
        params = section.get(PARAMS) if isinstance(section, dict) else None
        if isinstance(params, dict) and dotted in params:
            rest = {key: value for key, value in params.items() if key != dotted}
            if rest:
                self._data[SWEEP] = {**section, PARAMS: rest}
            else:
                del self._data[SWEEP]

    def _stands_at(self, path: Path_, place: Place) -> None:
        self._drop_places(path)
        self._places[path] = place

    def _drop_places(self, path: Path_, *, keep_itself: bool = False) -> None:
        for known in [known for known in self._places if known[: len(path)] == path]:
            if known != path or not keep_itself:
                del self._places[known]


def _key(data: Any, step: str, name: str) -> str | int:
    if isinstance(data, dict):
        return step
    if isinstance(data, list):
        if step.isdecimal() and int(step) < len(data):
            return int(step)
        items = f"it has items 0 to {len(data) - 1}" if data else "it is empty"
        raise _refusal(name, f"{step!r} is not an item of this list; {items}")
    raise _refusal(name, f"there is nothing below {step!r}: its parent is a plain value")


def _refusal(name: str, message: str) -> SpecError:
    return SpecError([Problem(name, message)])
