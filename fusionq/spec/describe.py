"""Every key of the job file with its type, its default and its sentence, for people and for editors."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fusionq.spec.examples import EXAMPLES
from fusionq.spec.job import DurationS, IntervalText, JobSpec, SizeBytes, Target, TimeText
from fusionq.spec.targets import TARGET

ANY_NAME = "*"  # stands in a path for a name that the person chooses
_UNITS = {
    typing.get_args(alias)[1]: word
    for alias, word in (
        (DurationS, "duration"),
        (SizeBytes, "size"),
        (IntervalText, "interval"),
        (TimeText, "time"),
    )
}
_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "value"}
_FROM_TO = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "and below {}"}
_VALIDATORS = {type(mark) for mark in _UNITS}


@dataclass(frozen=True)
class Key:
    """One key of the job file."""

    path: tuple[str, ...]
    type_text: str
    description: str
    required: bool = False
    default: Any = None
    is_section: bool = False  # a block that holds keys and has no value of its own

    @property
    def dotted(self) -> str:
        return ".".join(self.path)

    @property
    def example(self) -> Any:
        """A value that the key may have: one that says something, where the default does not."""
        return EXAMPLES.get(self.dotted, self.default)

    @property
    def default_text(self) -> str:
        """The default in the words of a job file; empty where there is none."""
        return "" if self.default in (None, [], {}) else inline(self.default)

    @property
    def note(self) -> str:
        """Type and default in a few words."""
        if self.is_section:
            return ""
        default = f"default {self.default_text}" if self.default_text else "no default"
        return f"{self.type_text}, {'required' if self.required else default}"


# What only the reader knows: it is gone before the model sees a file.
READER_KEYS = (
    Key(
        ("defaults",),
        "text or list of texts",
        "Job files that this one extends, seen from its folder: what is said here wins.",
    ),
)


def keys() -> Iterator[Key]:
    """Every key, in the order of the model; a section stands before the keys in it."""
    yield from READER_KEYS
    yield from _keys(JobSpec, ())


def inline(value: Any) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000)
    return text.removesuffix("...\n").strip()


def _keys(model: type[BaseModel], prefix: tuple[str, ...]) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        path = (*prefix, name)
        nested, is_named = _model_in(field.annotation)
        yield _key(path, field)
        if nested:
            yield from _keys(nested, (*path, ANY_NAME) if is_named else path)


def _key(path: tuple[str, ...], field: FieldInfo) -> Key:
    annotation: Any = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        words = field.description or annotation.__doc__ or ""
        return Key(path, "block", words, required=field.is_required(), is_section=True)
    words = _type_text(annotation, field.metadata)
    return Key(
        path,
        words,
        field.description or "",
        required=field.is_required(),
        default=None if field.is_required() else _plain(field.default, words),
    )


def _plain(default: Any, words: str) -> Any:
    """A default as a person would write it."""
    if isinstance(default, BaseModel):
        return {name: value for name, value in default.model_dump().items() if value not in (None, [], {})}
    if isinstance(default, dict) and TARGET in default:
        return default[TARGET].rpartition(".")[2]
    if words == "duration" and default is not None:
        return f"{default:g}s"
    if words == "size" and default is not None:
        return f"{default / 10**9:g}GB"
    return default


def _model_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The section that a key may hold, and whether it stands under a name of the person's, or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    is_named = typing.get_origin(annotation) in (dict, list)
    for inner in typing.get_args(annotation) if not isinstance(annotation, type) or is_named else ():
        model, is_named_within = _model_in(inner)
        if model:
            return model, is_named or is_named_within
    return None, False


def flat(metadata: typing.Iterable[Any]) -> list[Any]:
    """The marks of an annotation, taken out of the fields that hold them."""
    return [mark for found in metadata for mark in getattr(found, "metadata", [found])]


def unit(metadata: typing.Sequence[Any]) -> str:
    """duration, size, interval or time, where a value is written in one of these."""
    return next((_UNITS[mark] for mark in metadata if type(mark) in _VALIDATORS and mark in _UNITS), "")


def bounds(metadata: typing.Sequence[Any]) -> dict[str, float]:
    """The bounds of a number, such as `{"ge": 1}`."""
    return {
        name: getattr(mark, name)
        for mark in metadata
        for name in _FROM_TO
        if getattr(mark, name, None) is not None
    }


def _type_text(annotation: Any, metadata: typing.Sequence[Any] = ()) -> str:
    metadata = flat(metadata)
    if unit(metadata):
        return unit(metadata)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type_text(inner[0], inner[1:])
    if origin is typing.Literal:
        return _choice([inline(value) for value in inner])
    if origin in (types.UnionType, typing.Union):
        parts = [part for part in inner if part is not types.NoneType]
        return _choice(dict.fromkeys(_type_text(part, metadata) for part in parts))
    if origin is list:
        return _list_text(inner[0])
    if annotation == Target:
        return "name or block"
    if origin is dict or annotation not in _WORDS:
        return "block"
    limits = [_FROM_TO[name].format(bound) for name, bound in bounds(metadata).items() if abs(bound) < 2**31]
    return " ".join([_WORDS[annotation], *limits])


def _list_text(inner: Any) -> str:
    words = _type_text(inner)
    if typing.get_origin(inner) is typing.Literal:
        return f"list of {words}"
    return f"list of {words.rpartition(' or ')[2].partition(' from ')[0]}s"


def _choice(words: typing.Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
