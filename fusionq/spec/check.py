"""A source against the model of the job file: a spec, or every mistake at its place."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from fusionq.errors import MOST_PROBLEMS, Problem, SpecError
from fusionq.spec.combinations import missing_in, mistakes_of
from fusionq.spec.job import JobSpec
from fusionq.spec.near import did_you_mean
from fusionq.spec.reader import Path_, Source, dotted
from fusionq.spec.section import BLOCK, OTHER
from fusionq.spec.targets import TargetResolver


def check(source: Source) -> JobSpec:
    """Check a source against the model of the job file. Raises SpecError with every problem."""
    if not isinstance(source.data, dict):
        raise SpecError([*source.problems, _no_block(source)])
    resolver = TargetResolver(source)
    data = resolver.resolve_all()
    report = _Report(source, resolver)
    spec = report.validate(data)
    report.look_at_the_whole(data)
    if report.problems or spec is None:
        raise SpecError(in_file_order(source, report.problems))
    return spec


def in_file_order(source: Source, problems: list[Problem]) -> list[Problem]:
    """Each problem once: those of the file itself first, from top to bottom, then those of others."""

    def order(problem: Problem) -> tuple:
        parts = problem.where.rsplit(":", 2)
        numbers = tuple(int(part) if part.isdigit() else 0 for part in parts[1:])
        return (parts[0] != source.name, parts[0], *(numbers if len(parts) == 3 else (0, 0)))

    return sorted(dict.fromkeys(problems), key=order)


def _no_block(source: Source) -> Problem:
    kind = "a list" if isinstance(source.data, list) else "plain text"
    message = f"a job file is a block of keys, this is {kind}; `fusionq init` writes a small example"
    return source.problem((), message)


class _Report:
    """The problems of one source; one message a path."""

    def __init__(self, source: Source, resolver: TargetResolver) -> None:
        self._source = source
        self._told: set[Path_] = {*resolver.wrong_paths, *source.wrong}
        self.problems: list[Problem] = [*source.problems, *resolver.problems]

    def validate(self, data: Any) -> JobSpec | None:
        try:
            return JobSpec.model_validate(data)
        except ValidationError as error:
            details = error.errors(include_url=False)
            words = {_in_file(data, d["loc"]): d["ctx"]["expected"] for d in details if _is_word(d)}
            # Of a choice between words and numbers, that which says more of a number comes first.
            for detail in sorted(details, key=_is_word):
                self._add_detail(data, detail, words)
        return None

    def look_at_the_whole(self, data: Any) -> None:
        for path, message in mistakes_of(data):
            self._add(path, lambda message=message: message)
        for path, message in missing_in(data):
            self._add_missing(path, message)

    def _add_detail(self, data: Any, detail: Any, words: Mapping[Path_, str]) -> None:
        path = _in_file(data, detail["loc"])
        kind = detail["type"]
        if kind == "missing":
            self._add_missing(path, f"the key {dotted(path)!r} is missing")
        else:
            also = f" or {words[path]}" if path in words and not _is_word(detail) else ""
            self._add(path, lambda: _message(path, detail, also), key_only=kind == "extra_forbidden")

    def _add_missing(self, path: Path_, message: str) -> None:
        if not self._source.is_broken:  # it may stand in the part that could not be read
            self._add(path, lambda: message)

    def _add(self, path: Path_, message: Callable[[], str], *, key_only: bool = False) -> None:
        """`message` is called for when it is told: to look for what a person meant takes its time."""
        if path not in self._told and len(self.problems) < MOST_PROBLEMS:
            self._told.add(path)
            self.problems.append(self._source.problem(path, message(), key_only=key_only))


def _is_word(detail: Any) -> bool:
    return detail["type"] == "literal_error"


def _message(path: Path_, detail: Any, also: str) -> str:
    kind, value = detail["type"], detail.get("input")
    if kind == "extra_forbidden":
        return f"unknown key {dotted(path)!r}{_key_meant(path)}"
    if kind == "value_error":
        return f"{dotted(path)}: {detail['ctx']['error']}" if path else str(detail["ctx"]["error"])
    expected = _EXPECTED.get(kind) or _lower(detail["msg"])
    if value is None:
        return f"{dotted(path)}: {expected}{also}, but there is no value{_instead(kind)}"
    return f"{dotted(path)}: {expected}{also}, but this is {_shown(value)}"


def _key_meant(path: Path_) -> str:
    """`; did you mean …?` for a key that does not stand where it is: one of this block, or of another."""
    near = did_you_mean(str(path[-1]), valid_keys(path[:-1]))
    elsewhere = [key for key in _homes(str(path[-1])) if key != dotted(path)]
    return f"; did you mean {elsewhere[0]!r}?" if elsewhere and "did you mean" not in near else near


def _homes(word: str) -> list[str]:
    """Where in a job file a key of this name stands."""
    names = {word, _OTHER_WORDS.get(word, word)}
    sections = [name for name in JobSpec.model_fields if valid_keys((name,))]
    found = [f"{section}.{key}" for section in sections for key in valid_keys((section,)) if key in names]
    return [*(_OF_TARGETS[name] for name in names if name in _OF_TARGETS), *found]


# Words of other tools, and arguments of targets, which no section has.
_OTHER_WORDS = {
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "n_epochs": "epochs",
    "batches_per_epoch": "steps_per_epoch",
    "limit_train_batches": "steps_per_epoch",
    "epoch_length": "steps_per_epoch",
    "batchsize": "batch_size",
    "bs": "batch_size",
    "random_seed": "seed",
    "num_gpus": "gpus",
    "ngpus": "gpus",
    "workers": "num_workers",
    "batch_sampler": "sampler",
    "learning_rate": "lr",
    "wd": "weight_decay",
}
_OF_TARGETS = {
    key: f"optimizer.{key}" for key in ("lr", "momentum", "weight_decay", "betas", "eps", "nesterov")
} | {"scheduler": "lr_scheduler", "dataset": "data.train", "criterion": "loss"}


def _instead(kind: str) -> str:
    """Returns what to write in the place of nothing, where that is not plain."""
    return "; write '' for empty text, or 'null' in quotes for the word" if kind == "string_type" else ""


_EXPECTED = {
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "dict_type": "expected a block of keys",
    "model_type": "expected a block of keys",
    "too_short": "expected at least one value",
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


def _in_file(data: Any, loc: tuple[str | int, ...]) -> Path_:
    """Pydantic names the branch of a union in the path of an error; a file has no such key."""
    path: list[str | int] = []
    for i, part in enumerate(loc):
        if part in (BLOCK, OTHER) or (isinstance(part, str) and isinstance(data, list)):
            continue
        is_key = isinstance(data, dict) and part in data
        is_item = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if not (is_key or is_item):
            return (*path, part) if i == len(loc) - 1 and isinstance(data, dict) else tuple(path)
        path.append(part)
        data = data[part]
    return tuple(path)


def valid_keys(path: Path_) -> list[str]:
    """The keys that a block at this path may have; [] where it is no section."""
    model: Any = JobSpec
    for part in path:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        model = _model_in(field.annotation) if field else None
        if model is None:
            return []
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) is typing.Annotated:
        return _model_in(typing.get_args(annotation)[0])
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return next((m for m in map(_model_in, typing.get_args(annotation)) if m), None)
    return None
