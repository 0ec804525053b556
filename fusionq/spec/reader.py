"""Read YAML into plain data and remember where every value stood.

Scalars follow the YAML 1.2 core schema: `1e-3` is a number, `on` and `yes` are text. `${VAR}` and
`${VAR:-default}` are replaced from the environment before a plain scalar is typed; `$${VAR}` stands for
the text `${VAR}`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from fusionq.errors import MOST_PROBLEMS, NotFoundError, Problem, SpecError
from fusionq.spec.places import Place, Text
from fusionq.spec.syntax import MAX_DEPTH, compose
from fusionq.spec.text_values import Path_, is_text

STDIN = "-"
MAX_FILE_BYTES = 1_000_000
MAX_NODES = 100_000
MAX_DOCUMENTS = 1_000

_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL_FLOATS = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_VARIABLE = re.compile(
    r"\$(?P<escape>\$)?\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]{0,500}))?\}"
)


def dotted(path: Path_) -> str:
    """The path as people write it: `model._args_.3`."""
    return ".".join(map(str, path))


@dataclass(frozen=True)
class Source:
    """Plain data together with the place of each value in its file, and what is wrong with it already.

    `wrong` are the paths of values that were told of. Where `is_broken`, parts of the file could not be
    read, and what is missing may stand there.
    """

    name: str
    data: Any
    places: Mapping[Path_, Place] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    wrong: frozenset[Path_] = frozenset()
    is_broken: bool = False

    def place(self, path: Path_) -> Place:
        """The place of the value at `path`, or of its nearest parent that stands in the file."""
        return self.places.get(self._nearest(path)) or Place(self.name)

    def where(self, path: Path_) -> str:
        """`file:line:column` of that place."""
        return str(self.place(path))

    def problem(self, path: Path_, message: str, *, key_only: bool = False) -> Problem:
        """A mistake at that place; `key_only` where the key is wrong and not its value."""
        nearest = self._nearest(path)
        place = self.place(path)
        # The first line of a file shows nothing of what is missing in the file as a whole.
        is_elsewhere = path != () and nearest == ()
        shown = "" if is_elsewhere else place.excerpt(key_only=key_only or nearest != path)
        return Problem(str(place), message, shown)

    def _nearest(self, path: Path_) -> Path_:
        while path and path not in self.places:
            path = path[:-1]
        return path


def read_file(path: str | Path, environ: Mapping[str, str] = os.environ) -> list[Source]:
    """Read the documents of a YAML file (`-`: of standard input). Raises NotFoundError or SpecError."""
    name = "<stdin>" if str(path) == STDIN else str(path)
    raw = _read_bytes(path, name)
    if len(raw) > MAX_FILE_BYTES:
        raise SpecError([Problem(name, f"is larger than a job file may be ({MAX_FILE_BYTES:,} bytes)")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SpecError([Problem(f"{name}:{line}:1", "is not UTF-8 text; save the file as UTF-8")]) from None
    return read_documents(text, name, environ)


def read_documents(
    text: str, name: str, environ: Mapping[str, str] = os.environ, within: Path_ = ()
) -> list[Source]:
    """Read YAML documents from `text`; `name` is what messages call it. Raises SpecError.

    `within` is the path in a job file at which the text is to stand; the paths of the result begin below it.
    """
    whole = Text(name, text)
    nodes, problems = compose(whole)
    if not nodes:
        raise SpecError(problems or [_empty(whole)])
    if len(nodes) > MAX_DOCUMENTS:
        raise SpecError([*problems, Problem(name, f"holds more than {MAX_DOCUMENTS:,} jobs; split it")])
    sources = [_Reader(whole, environ, within).read(node, is_broken=bool(problems)) for node in nodes]
    sources[0] = replace(sources[0], problems=(*problems, *sources[0].problems))
    return sources


def read_text(text: str, name: str, environ: Mapping[str, str] = os.environ, within: Path_ = ()) -> Source:
    """Read one YAML document from `text`, as `read_documents` does. Raises SpecError."""
    first, *others = read_documents(text, name, environ, within)
    if others:
        place = others[0].place(())
        raise SpecError([Problem(str(place), "a second document begins here; one is expected")])
    return first


def read_scalar(text: str) -> Any:
    """The value that `text` has as a plain YAML scalar."""
    lowered = text.lower()
    if lowered in _WORDS:
        return _WORDS[lowered]
    if lowered in _SPECIAL_FLOATS:
        return float(_SPECIAL_FLOATS[lowered])
    # A number of thousands of digits is a mistake, and Python refuses to read one.
    if _INT.match(text) and len(text) < 100:
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def escape_variables(text: str) -> str:
    """The text that reads as `text` once variables are replaced."""
    return _VARIABLE.sub(lambda match: "$" + match[0], text)


def _read_bytes(path: str | Path, name: str) -> bytes:
    """At most one byte more than a job file may have."""
    try:
        if str(path) == STDIN:
            return sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
            raise SpecError([Problem(name, "this is not a file")])  # reading a pipe may never end
        with open(path, "rb") as handle:
            return handle.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(
            f"{name}: no such file", hint="`fusionq init` writes a job file to start from"
        ) from None
    except IsADirectoryError:
        raise SpecError([Problem(name, "this is a folder; name a job file in it")]) from None
    except OSError as error:
        raise SpecError([Problem(name, f"cannot be read: {error.strerror}")]) from error


def _empty(text: Text) -> Problem:
    return Problem(f"{text.name}:1:1", "the file is empty; `fusionq init` writes a small example")


class _Reader:
    def __init__(self, text: Text, environ: Mapping[str, str], within: Path_ = ()) -> None:
        self.text = text
        self.environ = environ
        self.within = within
        self.places: dict[Path_, Place] = {}
        self.problems: list[Problem] = []
        self.wrong: set[Path_] = set()
        self.nodes = 0

    def read(self, node: yaml.Node, *, is_broken: bool) -> Source:
        data = self.convert(node, (), 0)
        return Source(
            self.text.name, data, self.places, tuple(self.problems), frozenset(self.wrong), is_broken
        )

    def place(self, node: yaml.Node, value: yaml.Node | None = None) -> Place:
        """The place of a key (with its value behind it) or of an item."""
        start, end = node.start_mark, node.end_mark
        key_length = end.column - start.column if end.line == start.line else 1
        length = key_length
        if value is not None and value.start_mark.line == start.line:
            same_line = value.end_mark.line == start.line
            length = (value.end_mark.column - start.column) if same_line else len(self._line(start))
        return Place(self.text.name, start.line + 1, start.column + 1, key_length, max(length, 1), self.text)

    def _line(self, mark: yaml.Mark) -> str:
        return self.text.line(mark.line + 1)

    def _problem(self, place: Place, message: str) -> None:
        self.problems.append(Problem(str(place), message, place.excerpt(key_only=True)))
        if len(self.problems) >= MOST_PROBLEMS:
            raise SpecError(self.problems)

    def convert(self, node: yaml.Node, path: Path_, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            # Aliases can make a small file grow without bound.
            message = "the file has too many values or is nested too deeply"
            raise SpecError([Problem(str(self.place(node)), message)])
        if path not in self.places:
            self.places[path] = self.place(node)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.convert(item, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        return self.scalar(node, path)

    def mapping(self, node: yaml.MappingNode, path: Path_, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(self.place(key_node), "a key must be plain text")
                continue
            key = key_node.value
            if key in result:
                first = self.places[(*path, key)].line
                words = f"the key {key!r} stands here twice; first in line {first}"
                self._problem(self.place(key_node), words)
                continue
            self.places[(*path, key)] = self.place(key_node, value_node)
            result[key] = self.convert(value_node, (*path, key), depth + 1)
        return result

    def scalar(self, node: yaml.ScalarNode, path: Path_) -> Any:
        text = _VARIABLE.sub(lambda match: self.variable(match, node, path), node.value)
        value = text if node.style else read_scalar(text)
        # A number is text where a number makes no sense; nothing is nothing everywhere.
        return text if value is not None and is_text((*self.within, *path)) else value

    def variable(self, match: re.Match[str], node: yaml.ScalarNode, path: Path_) -> str:
        if match["escape"]:
            return match[0][1:]
        name, default = match["name"], match["default"]
        if name in self.environ:
            return self.environ[name]
        if default is None:
            message = f"the environment has no variable {name}; set it, or write ${{{name}:-default}}"
            self._problem(self.place(node), message)
            self.wrong.add(path)
            return ""
        return default
