"""Finds every target of a job and holds its arguments against the real signature."""

from __future__ import annotations

import inspect
from typing import Any

from fusionq.engine.build import find_target
from fusionq.engine.checking.blocks import Block, arguments_of, blocks_of
from fusionq.engine.checking.findings import Findings
from fusionq.engine.randomness import derive_seed, seed_host
from fusionq.errors import TargetError
from fusionq.spec.job import JobSpec
from fusionq.spec.near import did_you_mean
from fusionq.spec.reader import Path_, dotted
from fusionq.spec.targets import ARGS

Targets = dict[Path_, Any]
"""The object that each block names, by the block's place."""

_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def import_targets(spec: JobSpec) -> None:
    """Import what a job names, before anything is seeded for it.

    An import may draw numbers or change torch's settings; so that an attempt that checks the job and one
    that does not come to the same weights, both import at the same point. It tells no errors: whoever needs
    a target does.
    """
    seed_host(derive_seed("imports", spec.train.seed))
    check_targets(spec, Findings())


def check_targets(spec: JobSpec, findings: Findings) -> Targets:
    """Resolve all targets and check their arguments; returns those that were found."""
    found: Targets = {}
    for block in blocks_of(spec):
        target = find(block.name, block.place, findings)
        if target is None:
            continue
        found[block.place] = target
        if callable(target):
            _check_arguments(target, block, findings)
        else:
            findings.problem(block.place, f"{block.name} is {_kind(target)}, which cannot be called")
    return found


def find(name: str, place: Path_, findings: Findings) -> Any:
    """The object at an import path, or None after a problem was noted."""
    try:
        return find_target(name, dotted(place))
    except TargetError as error:
        # A laptop and a worker differ in what is installed; the words must be right on both.
        findings.problem(place, error.message.replace(" on this worker;", ";"))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        findings.problem(place, f"importing {name} ends the process ({type(error).__name__})")
    return None


def _check_arguments(target: Any, block: Block, findings: Findings) -> None:
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return  # something built in that does not say what it takes
    args, kwargs = arguments_of(block.data)
    name = block.name.rpartition(".")[2]
    by_place = [key for key, p in parameters.items() if p.kind in _BY_PLACE]
    kinds = {p.kind for p in parameters.values()}
    given, by_name = _given(block, list(parameters))
    count = given + len(args)
    if count > len(by_place) and inspect.Parameter.VAR_POSITIONAL not in kinds:
        most = max(len(by_place) - given, 0)
        findings.problem(
            (*block.place, ARGS) if args else block.place,
            f"{name} takes {most} arguments by their place, but gets {len(args)}",
        )
    taken = [*by_name, *by_place[:count]]
    free = [key for key, p in parameters.items() if key not in taken and p.kind not in _REST]
    missing = [k for k in free if parameters[k].default is inspect.Parameter.empty and k not in kwargs]
    for key in kwargs:
        if key in taken:
            is_ours = key in (*by_name, *by_place[:given])
            giver = "the engine gives it" if is_ours else f"it is in {ARGS} already"
            findings.problem((*block.place, key), f"{name} gets {key!r} twice; {giver}")
        elif key not in free and inspect.Parameter.VAR_KEYWORD not in kinds:
            findings.problem(
                (*block.place, key), f"{name} takes no argument {key!r}{did_you_mean(key, free)}"
            )
            missing = [k for k in missing if repr(k) not in did_you_mean(key, free)]  # only misspelled
    if missing:
        words = "the argument" if len(missing) == 1 else "the arguments"
        findings.problem(block.place, f"{name} needs {words} {', '.join(map(repr, missing))}")


def _given(block: Block, names: list[str]) -> tuple[int, list[str]]:
    """How many arguments the engine passes first, and which it passes by name."""
    if block.given_by_name:
        return 0, [name for name in block.given_by_name if name in names][:1]
    if block.given_to_all in names[1:]:
        return 0, [block.given_to_all]
    takes_it = block.given_to_all in names
    return (block.given or int(takes_it)), []


def _kind(value: Any) -> str:
    return "a module" if inspect.ismodule(value) else f"a value of type {type(value).__name__}"
