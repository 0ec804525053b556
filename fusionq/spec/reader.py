"""Read YAML into plain data and remember where every value stood.

Scalars follow the YAML 1.2 core schema: `1e-3` is a number, `on` and `yes` are text. `${VAR}` and
`${VAR:-default}` are replaced from the environment before a plain scalar is typed; `$${VAR}` stands for
the text `${VAR}`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fusionq.errors import NotFoundError, Problem, SpecError

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Path_ = tuple[str | int, ...]

MAX_FILE_BYTES = 1_000_000
MAX_NODES = 100_000
MAX_DEPTH = 100

_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL_FLOATS = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_VARIABLE = re.compile(r"\$(?P<escape>\$)?\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


@dataclass(frozen=True)
class Source:
    """Plain data together with the place of each value in its file."""

    name: str
    data: Any
    places: Mapping[Path_, str] = field(default_factory=dict)

    def where(self, path: Path_) -> str:
        """`file:line:column` of the value at `path`, or of its nearest parent that stands in the file."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.name)


def read_file(path: str | Path, environ: Mapping[str, str] = os.environ) -> Source:
    """Read one YAML document. Raises NotFoundError or SpecError."""
    name = str(path)
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        raise NotFoundError(
            f"{name}: no such file", hint="name a job file, such as jobs/mnist.yaml"
        ) from None
    except IsADirectoryError:
        raise SpecError([Problem(name, "this is a folder; name a job file in it")]) from None
    except OSError as error:
        raise SpecError([Problem(name, f"cannot be read: {error.strerror}")]) from error
    if len(raw) > MAX_FILE_BYTES:
        raise SpecError([Problem(name, f"is larger than a job file may be ({MAX_FILE_BYTES:,} bytes)")])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SpecError([Problem(f"{name}:{line}:1", "is not UTF-8 text; save the file as UTF-8")]) from None
    return read_text(text, name, environ)


def read_text(text: str, name: str, environ: Mapping[str, str] = os.environ) -> Source:
    """Read one YAML document from `text`; `name` is what messages call it. Raises SpecError."""
    try:
        _refuse_deep_nesting(text, name)
        node = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise SpecError([Problem(where, f"is not valid YAML: {_explain(error, text)}")]) from None
    except yaml.YAMLError as error:
        raise SpecError([Problem(name, f"is not valid YAML: {' '.join(str(error).split())}")]) from None
    except UnicodeEncodeError:
        raise SpecError([Problem(name, "is not UTF-8 text")]) from None
    if node is None:
        raise SpecError([Problem(f"{name}:1:1", "the file is empty; `jobs/digits.yaml` is a small example")])
    reader = _Reader(name, environ)
    data = reader.convert(node, (), 0)
    if reader.problems:
        raise SpecError(reader.problems)
    return Source(name, data, reader.places)


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


def _refuse_deep_nesting(text: str, name: str) -> None:
    """The C composer recurses without a limit, and a file of brackets would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            where = f"{name}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"
            raise SpecError([Problem(where, "the file is nested too deeply")])


def _explain(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark
    if mark is not None:
        lines = text.splitlines()
        line = lines[mark.line] if mark.line < len(lines) else ""
        if "\t" in line[: len(line) - len(line.lstrip())] or line[mark.column : mark.column + 1] == "\t":
            return "a tab is used for indentation; YAML allows spaces only"
    return (error.problem or error.context or "it cannot be parsed").replace("\n", " ")


class _Reader:
    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self.name = name
        self.environ = environ
        self.places: dict[Path_, str] = {}
        self.problems: list[Problem] = []
        self.nodes = 0

    def place(self, node: yaml.Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"

    def convert(self, node: yaml.Node, path: Path_, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            # Aliases can make a small file grow without bound.
            raise SpecError(
                [Problem(self.place(node), "the file has too many values or is nested too deeply")]
            )
        self.places.setdefault(path, self.place(node))
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.convert(item, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        return self.scalar(node)

    def mapping(self, node: yaml.MappingNode, path: Path_, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(self.place(key_node), "a key must be plain text"))
                continue
            key = key_node.value
            if key in result:
                self.problems.append(Problem(self.place(key_node), f"the key {key!r} stands here twice"))
                continue
            self.places[(*path, key)] = self.place(key_node)
            result[key] = self.convert(value_node, (*path, key), depth + 1)
        return result

    def scalar(self, node: yaml.ScalarNode) -> Any:
        text = _VARIABLE.sub(lambda match: self.variable(match, node), node.value)
        return text if node.style else read_scalar(text)

    def variable(self, match: re.Match[str], node: yaml.ScalarNode) -> str:
        if match["escape"]:
            return match[0][1:]
        name, default = match["name"], match["default"]
        if name in self.environ:
            return self.environ[name]
        if default is None:
            message = f"the environment has no variable {name}; set it, or write ${{{name}:-default}}"
            self.problems.append(Problem(self.place(node), message))
            return ""
        return default
