"""The trials of a sweep: every combination as a whole job, checked before any is queued."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from fusionq.errors import MOST_PROBLEMS, Problem, SpecError
from fusionq.spec.check import check, in_file_order
from fusionq.spec.job import JobSpec
from fusionq.spec.overrides import Changes
from fusionq.spec.params import params_text
from fusionq.spec.places import Place
from fusionq.spec.reader import Path_, Source
from fusionq.spec.sweep import MOST_TRIALS, PARAMS, SWEEP, Choice, SweepSection

_SHARED = ("code", "notify", "unique")


@dataclass(frozen=True)
class Trial:
    """One job of a sweep. `index` counts from 1; `params` are what it has of its own, by dotted path."""

    index: int
    params: dict[str, Any]
    spec: JobSpec

    def __str__(self) -> str:
        return f"trial {self.index}: {params_text(self.params)}"


def section_of(source: Source) -> SweepSection | None:
    """The sweep of a source; None where it has none, or a wrong one, which `check` tells of."""
    found = source.data.get(SWEEP) if isinstance(source.data, dict) else None
    try:
        return SweepSection.model_validate(found) if found is not None else None
    except ValidationError:
        return None


def expand(source: Source, section: SweepSection) -> tuple[Trial, ...]:
    """Every trial of a sweep. Raises SpecError with the mistakes of all of them."""
    base = replace(source, data={key: value for key, value in source.data.items() if key != SWEEP})
    trials: list[Trial] = []
    problems: dict[str, Problem] = {}
    for index, (params, places) in enumerate(_points(source, section), 1):
        try:
            trials.append(Trial(index, params, _spec_of(base, params, places)))
        except SpecError as error:
            for problem in error.problems:  # what is wrong with every value is told at the first
                problems.setdefault(problem.message, problem)
            if len(problems) >= MOST_PROBLEMS:
                break
    if problems:
        raise SpecError(in_file_order(source, list(problems.values())))
    return tuple(trials)


Point = tuple[dict[str, Any], dict[str, Path_]]
"""The values of a trial by dotted path, and where in the file each stands."""


def _points(source: Source, section: SweepSection) -> Iterator[Point]:
    if isinstance(section.params, list):
        for i, point in enumerate(section.params):
            yield dict(point), {key: (SWEEP, PARAMS, i, key) for key in point}
    elif section.method == "random":
        yield from _random(section, section.params)
    else:
        yield from _grid(source, section.params)


def _grid(source: Source, params: dict[str, Any]) -> Iterator[Point]:
    values: list[list[Any]] = []
    paths: list[tuple[Path_, ...]] = []
    for key, chosen in params.items():
        path: Path_ = (SWEEP, PARAMS, key)
        if isinstance(chosen, Choice):
            path, chosen = (*path, "choice"), chosen.choice or []
        values.append(list(chosen))
        paths.append(tuple((*path, i) for i in range(len(chosen))))
    count = math.prod(map(len, values))
    if count > MOST_TRIALS:
        message = f"this grid has {count:,} trials; a sweep has {MOST_TRIALS:,} at most"
        raise SpecError([source.problem((SWEEP, PARAMS), message)])
    for which in itertools.product(*(range(len(v)) for v in values)):
        yield (
            {key: values[n][i] for n, (key, i) in enumerate(zip(params, which, strict=True))},
            {key: paths[n][i] for n, (key, i) in enumerate(zip(params, which, strict=True))},
        )


def _random(section: SweepSection, params: dict[str, Any]) -> Iterator[Point]:
    """Each value is a function of the seed, the trial and the key: a key more changes none of the others."""
    places = {key: (SWEEP, PARAMS, key) for key in params}
    for index in range(1, (section.trials or 0) + 1):
        draws = {key: random.Random(f"{section.seed}:{index}:{key}") for key in params}
        yield {key: _draw(chosen, draws[key]) for key, chosen in params.items()}, places


def _draw(chosen: Any, draw: random.Random) -> Any:
    if not isinstance(chosen, Choice):
        return draw.choice(chosen)
    if chosen.uniform is not None:
        return draw.uniform(*chosen.uniform)
    if chosen.loguniform is not None:
        low, high = map(math.log, chosen.loguniform)
        return min(max(math.exp(draw.uniform(low, high)), chosen.loguniform[0]), chosen.loguniform[1])
    if chosen.int is not None:
        return draw.randint(*chosen.int)
    return draw.choice(chosen.choice or [])


def _refuse_if_shared(key: str, place: Place) -> None:
    """Raises SpecError for what a sweep has once, for all its trials."""
    section = key.split(".")[0]
    if section == SWEEP:
        raise SpecError([Problem(str(place), "a sweep cannot sweep itself")])
    if section in _SHARED:
        raise SpecError([Problem(str(place), f"{section} is the same for all trials of a sweep")])


def _spec_of(base: Source, params: dict[str, Any], places: dict[str, Path_]) -> JobSpec:
    changed = Changes(base)
    problems = []
    for key, value in params.items():
        place = base.place(places[key])
        try:
            _refuse_if_shared(key, place)
            changed.put(key, value, str(place), place)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return check(changed.source())
