"""`_target_` blocks: which objects a job file may name, and their one canonical form.

The canonical form is `{"_target_": "torch.nn.Linear", "_args_": […], keyword: value, …}`; `_args_` is
there only when it has values. `class_path` + `init_args` and `_component_` are read as synonyms.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from fusionq.errors import Problem
from fusionq.spec.catalog import catalog, is_complete_for
from fusionq.spec.reader import Path_, Source

TARGET = "_target_"
ARGS = "_args_"
FROM = "from"  # names where a model's weights come from; no argument of a call can have this name
_SYNONYMS = ("_component_", "class_path")
TARGET_KEYS = (TARGET, *_SYNONYMS)
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")

DATASETS = ("torchvision.datasets", "fusionq", "torch.utils.data")

# Where a short name is looked up, by the place of the block in the job file; `*` is any list item.
TARGET_PLACES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("trainer",): ("fusionq",),
    ("model",): ("torch.nn", "fusionq", "torchvision.models"),
    ("data", "train"): DATASETS,
    ("data", "val"): DATASETS,
    ("data", "test"): DATASETS,
    ("data", "augment", "*"): ("torchvision.transforms.v2",),
    ("data", "transform", "*"): ("torchvision.transforms.v2",),
    ("loss",): ("torch.nn",),
    ("optimizer",): ("torch.optim",),
    ("lr_scheduler",): ("torch.optim.lr_scheduler",),
    ("metrics", "train", "*"): ("fusionq",),
    ("metrics", "val", "*"): ("fusionq",),
    ("metrics", "test", "*"): ("fusionq",),
    ("callbacks", "*"): ("fusionq",),
}


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or the list of choices where none is near and the list is short."""
    names = sorted(choices)
    lowered = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {lowered[near[0]]!r}?"
    return f"; valid here: {', '.join(names)}" if 0 < len(names) <= 16 else ""


def is_target(value: Any) -> bool:
    return isinstance(value, dict) and any(key in value for key in (TARGET, *_SYNONYMS))


class TargetResolver:
    """Brings every target of a job file into its canonical form and collects what is wrong with them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.wrong_paths: set[Path_] = set()

    def resolve_all(self) -> dict[str, Any]:
        """The data of the source with every target resolved."""
        data = self.source.data
        for place, modules in TARGET_PLACES.items():
            data = self._resolve_place(data, place, (), modules)
        return data

    def _resolve_place(self, data: Any, place: Sequence[str], path: Path_, modules: tuple[str, ...]) -> Any:
        if not place:
            return None if data is None else self._outermost(data, path, modules)
        step, rest = place[0], place[1:]
        if step == "*" and isinstance(data, list):
            return [self._resolve_place(item, rest, (*path, i), modules) for i, item in enumerate(data)]
        if isinstance(data, dict) and step in data:
            return {**data, step: self._resolve_place(data[step], rest, (*path, step), modules)}
        return data

    def _outermost(self, value: Any, path: Path_, modules: tuple[str, ...]) -> Any:
        if path == ("model",) and isinstance(value, dict) and set(value) == {FROM}:
            return value  # another job's model, whole
        if isinstance(value, str):
            value = {TARGET: value}  # `loss: CrossEntropyLoss` is the short way to write a block
        if not is_target(value):
            self._problem(path, f"expected a block with {TARGET}, such as {{{TARGET}: {_example(modules)}}}")
            return value
        return self._resolve(value, path, modules)

    def _resolve(self, value: Any, path: Path_, modules: tuple[str, ...]) -> Any:
        if isinstance(value, list):
            return [self._resolve(item, (*path, i), modules) for i, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if not is_target(value):
            return {key: self._resolve(item, (*path, key), modules) for key, item in value.items()}
        name_key, arguments = self._open(value, path)
        block: dict[str, Any] = {TARGET: self._full_name(value[name_key], (*path, name_key), modules)}
        for key, (item, item_path) in arguments.items():
            block[key] = self._resolve(item, item_path, modules)
        if ARGS in block and not isinstance(block[ARGS], list):
            self._problem((*path, ARGS), f"{ARGS} is a list of positional arguments")
        if block.get(ARGS) == []:
            del block[ARGS]
        return block

    def _open(self, value: dict[str, Any], path: Path_) -> tuple[str, dict[str, tuple[Any, Path_]]]:
        """The key that names the target, and its arguments with their places."""
        name_keys = [key for key in (TARGET, *_SYNONYMS) if key in value]
        if len(name_keys) > 1:
            self._problem(
                (*path, name_keys[1]), f"a block names its target once; {name_keys[0]} is there too"
            )
        rest = {key: (item, (*path, key)) for key, item in value.items() if key not in name_keys}
        if name_keys[0] == "class_path" and "init_args" in rest:
            init_args, init_path = rest.pop("init_args")
            if isinstance(init_args, dict):
                rest |= {key: (item, (*init_path, key)) for key, item in init_args.items()}
            else:
                self._problem(init_path, "init_args is a block of keyword arguments")
        return name_keys[0], rest

    def _full_name(self, name: Any, path: Path_, modules: tuple[str, ...]) -> Any:
        if not isinstance(name, str) or not _DOTTED.match(name):
            self._problem(
                path, f"{name!r} is not the name of a class or function, such as {_example(modules)}"
            )
            return name
        if "." in name:
            self._check_dotted(name, path)
            return name
        for module in modules:
            if name in catalog().get(module, ()):
                return f"{module}.{name}"
        known = set().union(*(catalog().get(module, ()) for module in modules))
        hint = did_you_mean(name, known) or "; write the full path, such as my_package.MyClass"
        self._problem(path, f"unknown target {name!r} (looked in {', '.join(modules)}){hint}")
        return name

    def _check_dotted(self, name: str, path: Path_) -> None:
        module, _, attribute = name.rpartition(".")
        known = catalog().get(module)
        if known is not None and attribute not in known and is_complete_for(module):
            self._problem(path, f"unknown target {name!r}{did_you_mean(attribute, known)}")

    def _problem(self, path: Path_, message: str) -> None:
        if path in self.source.wrong:
            return  # told already
        self.wrong_paths.add(path)
        self.problems.append(self.source.problem(path, message))


def _example(modules: tuple[str, ...]) -> str:
    names = catalog().get(modules[0], frozenset())
    for usual in ("Adam", "StepLR", "ToTensor", "MNIST", "Accuracy", "CrossEntropyLoss"):
        if usual in names:
            return usual
    return "my_package.MyClass"
