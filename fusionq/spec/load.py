"""From a job file to a checked `JobSpec`, with every mistake at once and in its place."""

from __future__ import annotations

import os
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from fusionq.errors import Problem, SpecError
from fusionq.spec.job import NEEDED, JobSpec
from fusionq.spec.overrides import apply_overrides
from fusionq.spec.reader import Path_, Source, escape_variables, read_file, read_scalar, read_text
from fusionq.spec.targets import TargetResolver, did_you_mean


def load_job(
    path: str | Path, overrides: Iterable[str] = (), environ: Mapping[str, str] = os.environ
) -> JobSpec:
    """Read a job file, apply `key.path=value` overrides, and check it. Raises SpecError, NotFoundError."""
    source = apply_overrides(read_file(path, environ), overrides, environ)
    spec = check(source)
    return spec if spec.name else spec.model_copy(update={"name": _name_of(path)})


def parse_job(data: Mapping[str, Any], name: str = "job") -> JobSpec:
    """Check plain data, such as a spec that was stored. Raises SpecError."""
    return check(Source(name, dict(data)))


def to_yaml(data: Mapping[str, Any]) -> str:
    """A job file that loads again to the same data."""
    return yaml.dump(
        dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
    )


def from_yaml(text: str, name: str = "job.yaml") -> JobSpec:
    """Read a job file from text. Raises SpecError."""
    return check(read_text(text, name))


def check(source: Source) -> JobSpec:
    """Check a source against the model of the job file. Raises SpecError with every problem."""
    if not isinstance(source.data, dict):
        kind = "a list" if isinstance(source.data, list) else "plain text"
        message = f"a job file is a block of keys, this is {kind}; `jobs/digits.yaml` is a small example"
        raise SpecError([Problem(source.where(()), message)])
    resolver = TargetResolver(source)
    data = resolver.resolve_all()
    problems = list(resolver.problems)
    try:
        spec = JobSpec.model_validate(data)
    except ValidationError as error:
        known = set(resolver.wrong_paths)
        for detail in error.errors(include_url=False):
            path = _without_union_branches(detail["loc"])
            if path not in known:  # one message a path: a wrong value fails every branch of a union
                known.add(path)
                problems.append(_problem(source, path, detail))
    problems += _missing_for_task(source, data)
    if problems:
        raise SpecError(sorted(problems, key=_file_order))
    return spec


def _missing_for_task(source: Source, data: Any) -> list[Problem]:
    """The keys that the job's task needs and the file lacks; a parent that is wrong itself was told."""
    problems = []
    task = data.get("task", "train")
    for path in NEEDED.get(task, ()) if isinstance(task, str) else ():
        parent = data
        for key in path[:-1]:
            parent = parent.get(key) if isinstance(parent, dict) else None
        if isinstance(parent, dict) and parent.get(path[-1]) in (None, []):
            words = f"the key {_dotted(path)!r} is missing"
            words += "" if task == "train" else f"; the task {task} needs it"
            problems.append(Problem(source.where(path[:-1]), words))
    return problems


def _problem(source: Source, path: Path_, detail: Any) -> Problem:
    kind, value = detail["type"], detail.get("input")
    if kind == "extra_forbidden":
        valid = _valid_keys(path[:-1])
        message = f"unknown key {_dotted(path)!r}{did_you_mean(str(path[-1]), valid)}"
    elif kind == "missing":
        message = f"the key {_dotted(path)!r} is missing"
    elif kind == "value_error":
        message = f"{_dotted(path)}: {detail['ctx']['error']}" if path else str(detail["ctx"]["error"])
    else:
        message = (
            f"{_dotted(path)}: {_EXPECTED.get(kind) or _lower(detail['msg'])}, but this is {_shown(value)}"
        )
    return Problem(source.where(path), message)


_EXPECTED = {
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "dict_type": "expected a block of keys",
    "model_type": "expected a block of keys",
}


def _lower(message: str) -> str:
    text = message.replace("Input should", "it should")
    return text[0].lower() + text[1:]


def _shown(value: Any) -> str:
    text = (
        repr(value)
        if not isinstance(value, dict | list)
        else f"a {'block' if isinstance(value, dict) else 'list'}"
    )
    return text if len(text) <= 60 else text[:57] + "…"


def _dotted(path: Path_) -> str:
    return ".".join(str(part) for part in path)


def _without_union_branches(loc: tuple[str | int, ...]) -> Path_:
    """Pydantic names the branch of a union in the path of an error; a file has no such key."""
    return tuple(
        part for part in loc if not (isinstance(part, str) and ("[" in part or part == "constrained-int"))
    )


def _valid_keys(path: Path_) -> list[str]:
    model: Any = JobSpec
    for part in path:
        model = _model_in(model.model_fields[part].annotation) if part in model.model_fields else None
        if model is None:
            return []
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return next((m for m in map(_model_in, typing.get_args(annotation)) if m), None)
    return None


def _file_order(problem: Problem) -> tuple:
    parts = problem.where.rsplit(":", 2)
    return tuple(int(part) if part.isdigit() else 0 for part in parts[1:]) if len(parts) == 3 else (0, 0)


def _name_of(path: str | Path) -> str:
    """The file's name, as far as a job may be called so."""
    words = "".join(c if c.isascii() and (c.isalnum() or c in " ._+-") else "-" for c in Path(path).stem)
    return words.lstrip(" ._+-")[:100] or "job"


class _Dumper(yaml.SafeDumper):
    """Quotes what our reader would take for a number or a word, and escapes what it would replace."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        node = super().represent_mapping(tag, mapping, flow_style)
        for (key_node, _), key in zip(node.value, mapping, strict=True):
            key_node.value = str(key)  # the reader replaces no variables in keys, so none is escaped
        return node


def _represent_text(dumper: yaml.Dumper, text: str) -> yaml.Node:
    style = None if read_scalar(text) is text else "'"
    if not text.isprintable():
        style = '"'  # the only style that keeps every line end and every space
    return dumper.represent_scalar("tag:yaml.org,2002:str", escape_variables(text), style=style)


_Dumper.add_representer(str, _represent_text)
