from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import FusionqError, Problem, SpecError, UsageError

if TYPE_CHECKING:
    from fusionq.cli.deep import Looked
    from fusionq.spec.load import Loaded


@click.command()
@click.argument("arguments", nargs=-1, required=True, metavar="FILE... [KEY.PATH=VALUE]...")
@click.option("--deep", "is_deep", is_flag=True, help="Build the models too, and send shapes through them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@verb
def validate(session: Session, arguments: tuple[str, ...], is_deep: bool, as_json: bool) -> int:
    """Check job files and queue nothing. Every mistake of every file is reported, with its place.

    --deep needs torch, and neither a GPU nor the data: it imports every target, builds the model without
    numbers, sends a batch of shapes through model and loss, and says how large it all is.

    \b
    fusionq validate jobs/*.yaml
    fusionq validate job.yaml optimizer.lr=1e-2 --deep
    """
    from fusionq.spec.overrides import is_override

    overrides = [word for word in arguments if is_override(word) and not Path(word).exists()]
    files = [argument for argument in arguments if argument not in overrides]
    if not files:
        raise UsageError("no job file is named", hint="fusionq validate jobs/*.yaml")
    verdicts = [_read(file, overrides) for file in files]
    if is_deep:
        _look_deeply(session, verdicts)
    if as_json:
        from fusionq.cli.json_output import print_json

        print_json("files", (verdict.to_json() for verdict in verdicts))
    else:
        for verdict in verdicts:
            verdict.tell()
    return max((verdict.error.exit_code for verdict in verdicts if verdict.error), default=0)


@dataclass
class _Verdict:
    """What is known of one file."""

    file: str
    loaded: list[Loaded] = field(default_factory=list)
    looked: list[Looked] = field(default_factory=list)
    error: FusionqError | None = None

    def to_json(self) -> dict[str, Any]:
        jobs = [
            {"name": one.spec.name, "num_trials": len(one.trials), "estimate": {}, "notes": []}
            for one in self.loaded
            if not self.error
        ]
        for job, looked in zip(jobs, self.looked, strict=False):
            job |= {"estimate": looked.estimate, "notes": looked.notes}
        problems = [{"where": p.where, "message": p.message} for p in self._problems()]
        return {"file": self.file, "jobs": jobs, "problems": problems}

    def _problems(self) -> list[Problem]:
        if isinstance(self.error, SpecError):
            return self.error.problems
        return [Problem(self.file, str(self.error))] if self.error else []

    def tell(self) -> None:
        if self.error is not None:
            say(self.error.full())
            return
        for i, one in enumerate(self.loaded):
            what = f"a sweep of {len(one.trials)} trials" if one.trials else "a job"
            click.echo(f"{self.file}: {one.spec.name} is {what} without a mistake")
            if self.looked:
                _tell_more(self.looked[i])


def _tell_more(looked: Looked) -> None:
    from fusionq.cli.deep import estimate_text

    if text := estimate_text(looked.estimate):
        click.echo(f"  {text}")
    for note in looked.notes:
        say(f"  not checked: {note}")


def _read(file: str, overrides: list[str]) -> _Verdict:
    from fusionq.spec.load import load_file

    try:
        return _Verdict(file, load_file(file, overrides, workdir=Path()))
    except FusionqError as error:
        return _Verdict(file, error=error)


def _look_deeply(session: Session, verdicts: list[_Verdict]) -> None:
    """Look at the jobs of all files that could be read."""
    from fusionq.cli.deep import look_deeply

    looked = look_deeply([one for verdict in verdicts for one in verdict.loaded], session.settings)
    for verdict in verdicts:
        verdict.looked, looked = looked[: len(verdict.loaded)], looked[len(verdict.loaded) :]
        problems = [problem for one in verdict.looked for problem in one.problems]
        if problems:
            verdict.error = SpecError(problems)
