from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import FusionqError, SpecError, UsageError


@click.command()
@click.argument("arguments", nargs=-1, required=True, metavar="FILE... [KEY.PATH=VALUE]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@verb
def validate(session: Session, arguments: tuple[str, ...], as_json: bool) -> int:
    """Check job files and queue nothing. Every mistake of every file is told, with its place.

    \b
    fusionq validate jobs/*.yaml
    fusionq validate jobs/mnist.yaml optimizer.lr=1e-2
    """
    overrides = [argument for argument in arguments if is_override(argument)]
    files = [argument for argument in arguments if argument not in overrides]
    if not files:
        raise UsageError("no job file is named", hint="fusionq validate jobs/*.yaml")
    verdicts = [_look_at(file, overrides) for file in files]
    if as_json:
        click.echo(json.dumps([verdict for verdict, _ in verdicts], indent=2))
    else:
        for verdict, error in verdicts:
            _tell(verdict, error)
    return max((error.exit_code for _, error in verdicts if error), default=0)


def is_override(argument: str) -> bool:
    """Whether an argument changes a key: it is no file that is there, and looks like a change."""
    return ("=" in argument or argument.startswith("~")) and not Path(argument).exists()


def _look_at(file: str, overrides: list[str]) -> tuple[dict[str, Any], FusionqError | None]:
    from fusionq.spec.load import load_file

    try:
        loaded = load_file(file, overrides)
    except SpecError as error:
        problems = [{"where": p.where, "message": p.message} for p in error.problems]
        return {"file": file, "jobs": [], "problems": problems}, error
    except FusionqError as error:
        return {"file": file, "jobs": [], "problems": [{"where": file, "message": str(error)}]}, error
    jobs = [{"name": one.spec.name, "trials": len(one.trials)} for one in loaded]
    return {"file": file, "jobs": jobs, "problems": []}, None


def _tell(verdict: dict[str, Any], error: FusionqError | None) -> None:
    if error is not None:
        say(error.full())
        return
    for job in verdict["jobs"]:
        what = f"a sweep of {job['trials']} trials" if job["trials"] else "a job"
        click.echo(f"{verdict['file']}: {job['name']} is {what} without a mistake")
