"""The JSON Schema of the job file, for editors: what the reader takes, not the form it brings it into."""

from __future__ import annotations

import types
import typing
from typing import Any

from pydantic import BaseModel

from fusionq.spec.describe import ANY_NAME, READER_KEYS, Key, bounds, flat, keys, unit
from fusionq.spec.job import NEEDED, JobSpec, Target
from fusionq.spec.kinds import TARGET_PLACES
from fusionq.spec.schema_targets import Schema, any_of, ref, target_definitions, target_schema
from fusionq.spec.text_values import AS_LIST, AS_TEXT

DIALECT = "https://json-schema.org/draft/2020-12/schema"
READER_SCHEMAS: dict[str, Schema] = {
    "defaults": any_of({"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1})
}
_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_LEASTS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_LENGTHS = {"min_length": "min", "max_length": "max"}

_NUMBER = r"[0-9]+(\.[0-9]+)?"
_DURATION = rf"(?=[0-9])({_NUMBER}d)?({_NUMBER}h)?({_NUMBER}m)?({_NUMBER}s)?"
# What a value with a unit looks like, and what editors say of one that does not (a word of VS Code's).
UNITS: dict[str, Schema] = {
    "time": {
        "pattern": r"^\s*(\+.+|[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?|[0-9]{4}-.+)\s*$",
        "patternErrorMessage": "Not a time; write 22:00, 2026-12-01 22:00 or +2h.",
    },
    "duration": {
        "pattern": rf"^\s*{_DURATION}\s*$",
        "patternErrorMessage": "Not a duration; write 30s, 10m or 2h30m.",
    },
    "size": {
        "pattern": rf"^\s*{_NUMBER}\s*([KMGTkmgt]i?)?[Bb]\s*$",
        "patternErrorMessage": "Not a size; write 20GB, 512MB or 16GiB.",
    },
    "interval": {
        "pattern": rf"^\s*(0*[1-9][0-9]*(ep|ba)|(?=.*[1-9]){_DURATION})\s*$",
        "patternErrorMessage": "Not an interval; write 1ep, 500ba or 10m.",
    },
}


def job_schema() -> Schema:
    """The JSON Schema (draft 2020-12) of a job file; it keeps to keywords that older editors know."""
    described = {key.path: key for key in keys()}
    section = _section(JobSpec, (), described)
    for key in READER_KEYS:
        own = {**READER_SCHEMAS[key.dotted], **_words(key)}
        section["properties"] = {key.dotted: own, **section["properties"]}
    return {
        "$schema": DIALECT,
        "title": "fusionq job file",
        "description": "A training job for fusionq.",
        **section,
        "allOf": list(_requirements()),
        "$defs": {**target_definitions(), **{name: {"type": "string", **UNITS[name]} for name in UNITS}},
    }


def _section(model: type[BaseModel], path: tuple[str, ...], described: dict[tuple[str, ...], Key]) -> Schema:
    properties = {}
    for name, field in model.model_fields.items():
        here = (*path, name)
        value = _value(field.annotation, field.metadata, here, described)
        properties[name] = {"title": ".".join(here), **value, **_words(described[here])}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _words(key: Key) -> Schema:
    """The sentence of a key, its default and an example."""
    words: Schema = {"description": key.description}
    if key.default is not None:
        words["default"] = key.default
    if key.example not in (None, key.default):
        words["examples"] = [key.example]
    return words


def _value(
    annotation: Any, metadata: typing.Sequence[Any], path: tuple[str, ...], described: dict[Any, Key]
) -> Schema:
    """What may stand at `path`, which the model holds as `annotation`."""
    metadata = flat(metadata)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _value(inner[0], [*inner[1:], *metadata], path, described)
    if origin in (types.UnionType, typing.Union):
        return any_of(*(_value(part, metadata, path, described) for part in inner))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _section(annotation, path, described)
    if path in TARGET_PLACES and annotation == Target:
        return target_schema(path)
    if origin is list:
        items = _value(inner[0], (), (*path, ANY_NAME), described)
        several = {"type": "array", "items": items, **_limits(metadata, "Items")}
        return any_of(several, items) if AS_LIST in metadata else several
    if origin is dict:
        values = _value(inner[1], (), (*path, ANY_NAME), described)
        return {"type": "object", "additionalProperties": values, **_limits(metadata, "Properties")}
    return {} if annotation is Any else _scalar(annotation, metadata)


def _scalar(annotation: Any, metadata: typing.Sequence[Any]) -> Schema:
    """Every scalar may be a variable of the environment, too, which plain text needs no word for."""
    if typing.get_origin(annotation) is typing.Literal:
        return any_of({"enum": list(typing.get_args(annotation))}, ref("variable"))
    if annotation is types.NoneType:
        return {"type": "null"}
    plain = {"type": _JSON_TYPES[annotation], **_limits(metadata, "Length")}
    with_unit = unit(metadata)
    if with_unit:
        number = [] if annotation is str else [{"minimum": 0, **plain}]
        return any_of(ref(with_unit), *number, ref("variable"))
    if AS_TEXT in metadata:
        return any_of(plain, {"type": ["number", "boolean"]}, ref("variable"))
    return plain if plain == {"type": "string"} else any_of(plain, ref("variable"))


def _limits(metadata: typing.Sequence[Any], of_what: str) -> Schema:
    limits = {_LEASTS[name]: bound for name, bound in bounds(metadata).items()}
    for mark in metadata:
        for name, word in _LENGTHS.items():
            if getattr(mark, name, None) is not None:
                limits[f"{word}{of_what}"] = getattr(mark, name)
        if getattr(mark, "pattern", None):
            limits["pattern"] = mark.pattern
    return limits


def _requirements() -> typing.Iterator[Schema]:
    """The keys that a job needs; a file that extends another may have them from there."""
    alone: Schema = {"not": {"required": [key.dotted for key in READER_KEYS]}}
    yield {"if": alone, "then": {"allOf": [_needs(key.path) for key in keys() if key.required]}}
    for task, paths in NEEDED.items():
        is_task = {"properties": {"task": {"const": task}}}
        if task != JobSpec.model_fields["task"].default:
            is_task["required"] = ["task"]
        yield {"if": {**alone, **is_task}, "then": {"allOf": [_needs(path) for path in paths]}}


def _needs(path: tuple[str, ...]) -> Schema:
    if len(path) == 1:
        return {"required": [path[0]]}
    return {"properties": {path[0]: _needs(path[1:])}}
