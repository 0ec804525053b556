"""`_target_` blocks: which objects a job file may name, and their one canonical form.

The canonical form is `{"_target_": "torch.nn.Linear", "_args_": […], keyword: value, …}`; `_args_` is
there only when it has values. `class_path` + `init_args` and `_component_` are read as synonyms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from fusionq.errors import MOST_PROBLEMS, Problem
from fusionq.spec.catalog import is_complete_for, signature_of
from fusionq.spec.kinds import TARGET_PLACES, TargetPlace
from fusionq.spec.names import Name
from fusionq.spec.reader import Path_, Source
from fusionq.spec.signatures import Call, Signature
from fusionq.spec.sweep import SWEEP

TARGET = "_target_"
ARGS = "_args_"
FROM = "from"  # names where a model's weights come from; no argument of a call can have this name
# What is taken of these weights; without `from` they are arguments like any other.
STRICT, PREFIX, IGNORE = "strict", "prefix", "ignore"
LOADING = (FROM, STRICT, PREFIX, IGNORE)
_SYNONYMS = ("_component_", "class_path")
TARGET_KEYS = (TARGET, *_SYNONYMS)
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")

Arguments = dict[str, tuple[Any, Path_]]
"""The arguments of a block, each with its place."""


def without_loading(model: Mapping[str, Any]) -> dict[str, Any]:
    """The block of a model without what it says of weights to load."""
    return {key: value for key, value in model.items() if FROM not in model or key not in LOADING}


def is_target(value: Any) -> bool:
    return isinstance(value, dict) and any(key in value for key in (TARGET, *_SYNONYMS))


class TargetResolver:
    """Brings every target of a job file into its canonical form and collects what is wrong with them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.wrong_paths: set[Path_] = set()
        # What is missing may stand where the file cannot be read, or in a sweep that is wrong itself.
        self._may_lack = source.is_broken or source.data.get(SWEEP) is not None

    def resolve_all(self) -> dict[str, Any]:
        """The data of the source with every target resolved."""
        data = self.source.data
        for path, place in TARGET_PLACES.items():
            data = self._resolve_place(data, path, (), place)
        return data

    def _resolve_place(self, data: Any, rest: Sequence[str], path: Path_, place: TargetPlace) -> Any:
        if not rest:
            return None if data is None else self._outermost(data, path, place)
        step, rest = rest[0], rest[1:]
        if step == "*" and isinstance(data, list):
            return [self._resolve_place(item, rest, (*path, i), place) for i, item in enumerate(data)]
        if isinstance(data, dict) and step in data:
            return {**data, step: self._resolve_place(data[step], rest, (*path, step), place)}
        return data

    def _outermost(self, value: Any, path: Path_, place: TargetPlace) -> Any:
        if path == ("model",) and isinstance(value, dict) and value and not without_loading(value):
            return value  # another job's model, whole
        if isinstance(value, str):
            value = {TARGET: value}  # `loss: CrossEntropyLoss` is the short way to write a block
        if not is_target(value):
            self._problem(path, f"expected a block with {TARGET}, such as {{{TARGET}: {place.usual}}}")
            return value
        return self._block(value, path, place, is_outermost=True)

    def _resolve(self, value: Any, path: Path_, place: TargetPlace) -> Any:
        if isinstance(value, list):
            return [self._resolve(item, (*path, i), place) for i, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if not is_target(value):
            return {key: self._resolve(item, (*path, key), place) for key, item in value.items()}
        return self._block(value, path, place)

    def _block(
        self, value: dict[str, Any], path: Path_, place: TargetPlace, *, is_outermost: bool = False
    ) -> dict[str, Any]:
        num_wrong = len(self.wrong_paths)
        name_key, arguments = self._open(value, path)
        name_path = (*path, name_key)
        name = self._full_name(value[name_key], name_path, place, is_outermost)
        if ARGS in arguments and not isinstance(arguments[ARGS][0], list):
            self._problem(arguments[ARGS][1], f"{ARGS} is a list of positional arguments")
        elif len(self.wrong_paths) == num_wrong and name_path not in self.source.wrong:
            given = without_loading(arguments) if path == ("model",) else arguments
            self._check_call(name, name_path, given, place, is_outermost)
        block: dict[str, Any] = {TARGET: name}
        for key, (item, item_path) in arguments.items():
            block[key] = self._resolve(item, item_path, place)
        if block.get(ARGS) == []:
            del block[ARGS]
        return block

    def _open(self, value: dict[str, Any], path: Path_) -> tuple[str, Arguments]:
        """The key that names the target, and its arguments with their places."""
        name_keys = [key for key in (TARGET, *_SYNONYMS) if key in value]
        if len(name_keys) > 1:
            self._problem(
                (*path, name_keys[1]), f"a block names its target once; {name_keys[0]} is there too"
            )
        rest: Arguments = {key: (item, (*path, key)) for key, item in value.items() if key not in name_keys}
        if name_keys[0] == "class_path" and "init_args" in rest:
            init_args, init_path = rest.pop("init_args")
            if isinstance(init_args, dict):
                rest |= {key: (item, (*init_path, key)) for key, item in init_args.items()}
            else:
                self._problem(init_path, "init_args is a block of keyword arguments")
        return name_keys[0], rest

    def _full_name(self, name: Any, path: Path_, place: TargetPlace, is_outermost: bool) -> Any:
        if not isinstance(name, str) or not _DOTTED.match(name):
            self._problem(path, f"{name!r} is not the name of a class or function, such as {place.usual}")
            return name
        section = ".".join(part for part in path[:-1] if isinstance(part, str))
        found = Name(name, place, section, is_outermost=is_outermost)
        complaint = found.complaint()
        if complaint:
            self._problem(path, complaint)
        return found.full or name

    def _check_call(
        self, name: str, name_path: Path_, arguments: Arguments, place: TargetPlace, is_outermost: bool
    ) -> None:
        """Whether the signature of the target takes these arguments, as far as it is known."""
        signature = signature_of(name)
        if signature is None or len(self.problems) >= MOST_PROBLEMS:
            return
        positional, args_path = arguments.get(ARGS, ((), name_path))
        keywords = [key for key in arguments if key != ARGS]
        call = Call(len(positional), keywords, *_supplied(signature, place, is_outermost))
        found = [(args_path, words) for words in signature.too_many_positional(call)]
        found += [
            (arguments[key][1], words) for key, words in islice(signature.wrong_keywords(call), MOST_PROBLEMS)
        ]
        found += [] if self._may_lack else [(name_path, words) for words in signature.missing(call)]
        given = {key: arguments[key][0] for key in keywords}
        for key, words in islice(signature.texts_for_numbers(call, positional, given), MOST_PROBLEMS):
            path = (*args_path, key) if isinstance(key, int) else arguments[key][1]
            self._problem(path, f"{name} {words}")
        if found and is_complete_for(name.rpartition(".")[0]):
            for path, words in found:
                self._problem(path, f"{name} {words}", key_only=path != name_path)

    def _problem(self, path: Path_, message: str | Callable[[], str], *, key_only: bool = False) -> None:
        """`message` may be a function, since to look for what a person meant takes its time."""
        if path in self.source.wrong:
            return  # told already
        self.wrong_paths.add(path)
        if len(self.problems) < MOST_PROBLEMS:
            words = message if isinstance(message, str) else message()
            self.problems.append(self.source.problem(path, words, key_only=key_only))


def _supplied(signature: Signature, place: TargetPlace, is_outermost: bool) -> tuple[int, tuple[str, ...]]:
    """How many arguments fusionq puts first, and which it gives by name."""
    if is_outermost and place.supplied_by_name:
        return 0, tuple(name for name in place.supplied_by_name if name in signature.names)[:1]
    name = place.supplied_to_all
    if name in signature.names and name not in signature.positional[:1]:
        return 0, (name,)
    takes_it = is_outermost or name in signature.names
    return (place.supplied if takes_it else 0), ()
