"""A job file to start from: the keys that a template uses, and every other one as a comment."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

import yaml

from fusionq.spec.describe import ANY_NAME, Key, inline, keys

WIDTH = 100
LEGEND = (
    "Every key of a job file stands below. Those without a # are in use; the others show their default, "
    "or an example where there is none. Remove a # and the space after it to use one."
)
Path_ = tuple[str, ...]


def commented(template: str) -> str:
    """The job file `template` with every key of a job file in it, explained; its own lines stay as they are.

    The template has two levels at most (`train:` and, two spaces in, `epochs: 5`), one key a line.
    """
    head, used = _taken_apart(template)
    parts = [*head, "#", *_comment(LEGEND, 0)]
    for key, inner in _sections():
        parts += ["", *_part(key, inner, used)]
    return "\n".join(parts) + "\n"


def _sections() -> Iterable[tuple[Key, list[Key]]]:
    """Each key of the first level with those in it."""
    listed = [key for key in keys() if ANY_NAME not in key.path]
    for key in listed:
        if len(key.path) == 1:
            yield key, [other for other in listed if other.path[:-1] == key.path]


def _part(key: Key, inner: list[Key], used: Mapping[Path_, list[str]]) -> list[str]:
    if not inner:
        return _entry(key, used)
    if key.path in used:
        lines = [line for other in inner for line in _entry(other, used)]
        return [*_explained(key), f"{key.path[-1]}:", *lines]
    lines = [line for other in inner for line in [*_explained(other), _assignment(other)]]
    return [*_explained(key), *_commented_out([f"{key.path[-1]}:", *lines], 0)]


def _entry(key: Key, used: Mapping[Path_, list[str]]) -> list[str]:
    if key.path in used:
        return [*_explained(key), *used[key.path]]
    return [*_explained(key), *_commented_out([_assignment(key)], _indent(key))]


def _assignment(key: Key) -> str:
    return f"{' ' * _indent(key)}{key.path[-1]}: {inline(key.example)}"


def _explained(key: Key) -> list[str]:
    note = f"({key.note})" if key.note else ""
    together = f"{key.description} {note}".strip()
    if _indent(key) + len("# # ") + len(together) <= WIDTH:
        return _comment(together, _indent(key))
    return _comment(key.description, _indent(key)) + _comment(note, _indent(key))


def _comment(text: str, indent: int) -> list[str]:
    return _commented_out([" " * indent + line for line in textwrap.wrap(text, WIDTH - indent - 4)], indent)


def _commented_out(lines: Iterable[str], indent: int) -> list[str]:
    return [f"{line[:indent]}# {line[indent:]}" for line in lines]


def _indent(key: Key) -> int:
    return 2 * (len(key.path) - 1)


def _taken_apart(template: str) -> tuple[list[str], dict[Path_, list[str]]]:
    """The comment at the head of a template, and the lines of each of its keys."""
    lines = template.splitlines()
    starts = _starts(yaml.compose(template, Loader=yaml.SafeLoader), ())
    ends = [line for line, _ in starts[1:]] + [len(lines)]
    used = {path: lines[start:end] for (start, path), end in zip(starts, ends, strict=True)}
    return lines[: starts[0][0]], used


def _starts(node: yaml.Node, prefix: Path_) -> list[tuple[int, Path_]]:
    """The line of every key that a job file has, in the order of the file."""
    known = {key.path for key in keys()}
    found = []
    for key_node, value_node in node.value:
        path = (*prefix, key_node.value)
        found.append((key_node.start_mark.line, path))
        if isinstance(value_node, yaml.MappingNode) and any(other[:-1] == path for other in known):
            found += _starts(value_node, path)
    return found
