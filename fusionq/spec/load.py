"""From a job file to checked specs, with every mistake at once and in its place."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fusionq.errors import MOST_PROBLEMS, Problem, SpecError
from fusionq.spec.check import check
from fusionq.spec.defaults import read_with_defaults
from fusionq.spec.job import CodeSection, JobSpec
from fusionq.spec.job_name import name_of_file
from fusionq.spec.overrides import apply_overrides, overridden
from fusionq.spec.own_modules import is_in, modules_named
from fusionq.spec.reader import Source, read_text
from fusionq.spec.secrets import mask_spec, unmask
from fusionq.spec.sweep import SWEEP
from fusionq.spec.trials import Trial, expand, section_of


@dataclass(frozen=True)
class Loaded:
    """One document of a job file. `trials` is empty unless it is a sweep; `params` is what overrides set."""

    source: Source
    spec: JobSpec
    trials: tuple[Trial, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def jobs(self) -> list[JobSpec]:
        """What would run: the job itself, or the trials."""
        return [trial.spec for trial in self.trials] or [self.spec]


def load_file(
    path: str | Path,
    overrides: Iterable[str] = (),
    environ: Mapping[str, str] = os.environ,
    *,
    workdir: Path,
) -> list[Loaded]:
    """Read and check every job of a file (`-`: standard input), each with the overrides.

    Modules of the user's own are looked for in `workdir`, where it will run, and else beside the file.

    Raises SpecError with the mistakes of all of them, NotFoundError where there is no such file.
    """
    sources = read_with_defaults(path, environ)
    loaded, problems = [], []
    for number, source in enumerate(sources, 1):
        try:
            name = name_of_file(path) if len(sources) == 1 else f"{name_of_file(path)}-{number}"
            loaded.append(_load(source, overrides, environ, name))
        except SpecError as error:
            problems += error.problems
            if len(problems) >= MOST_PROBLEMS:
                break
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))
    return [_with_code_beside(one, Path(path).parent.absolute(), workdir) for one in loaded]


def _with_code_beside(loaded: Loaded, folder: Path, workdir: Path) -> Loaded:
    """Where a job names modules that lie beside its file and not in `workdir`, that folder is its code."""
    names = {name for spec in loaded.jobs for name in modules_named(spec.to_data())}
    elsewhere = [name for name in names if is_in(folder, name) and not is_in(workdir, name)]
    if loaded.spec.code != CodeSection() or not elsewhere:
        return loaded
    code = {"code": CodeSection(path=str(folder))}
    trials = tuple(replace(trial, spec=trial.spec.model_copy(update=code)) for trial in loaded.trials)
    return replace(loaded, spec=loaded.spec.model_copy(update=code), trials=trials)


def load_data(
    data: Mapping[str, Any],
    overrides: Iterable[str] = (),
    name: str = "job",
    environ: Mapping[str, str] = os.environ,
) -> list[Loaded]:
    """The same for a job that a program holds as plain data. Raises SpecError."""
    return [_load(Source(name, copy.deepcopy(dict(data))), overrides, environ, name)]


def load_text(text: str, name: str, job_name: str, stored: Mapping[str, Any]) -> Loaded:
    """Read and check what a person made of a stored job, which was shown to them with its secrets masked.

    `name` is what messages call the text, `job_name` the job's where it has none. Raises SpecError.
    """
    source = read_text(text, name)
    source = replace(source, data=unmask(source.data, mask_spec(stored), stored))
    return _load(source, (), os.environ, job_name)


def load_job(
    path: str | Path, overrides: Iterable[str] = (), environ: Mapping[str, str] = os.environ
) -> JobSpec:
    """The one job of a file that runs beside it. Raises SpecError, also where there are several."""
    loaded = load_file(path, overrides, environ, workdir=Path(path).parent)
    if len(loaded) > 1 or loaded[0].trials:
        raise SpecError([Problem(str(path), "holds more than one job; one is expected here")])
    return loaded[0].spec


def parse_job(data: Mapping[str, Any], name: str = "job") -> JobSpec:
    """Check plain data, such as a spec that was stored. Raises SpecError."""
    return check(Source(name, dict(data)))


def from_yaml(text: str, name: str = "job.yaml") -> JobSpec:
    """Read one job from text. Raises SpecError."""
    return check(read_text(text, name))


def _load(source: Source, overrides: Iterable[str], environ: Mapping[str, str], name: str) -> Loaded:
    source = apply_overrides(source, overrides, environ)
    section = section_of(source)
    if section is None:
        return Loaded(source, _named(check(source), name), params=overridden(overrides, source.data))
    trials = expand(source, section)
    trials = tuple(replace(trial, spec=_named(trial.spec, name)) for trial in trials)
    return Loaded(source, trials[0].spec.model_copy(update={SWEEP: section}), trials)


def _named(spec: JobSpec, name: str) -> JobSpec:
    return spec if spec.name else spec.model_copy(update={"name": name})
