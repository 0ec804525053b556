from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from fusionq.cli.session import Session, verb
from fusionq.spec.printable import printable

if TYPE_CHECKING:
    from fusionq.client.doctor.finding import Finding

PROBLEMS_FOUND = 1
COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@verb
def doctor(session: Session, as_json: bool) -> int:
    """Examine Redis, the workers and this machine, and say what is wrong and what to do about it.

    The exit code is 1 where there is a problem; a warning alone leaves it 0.

    \b
    fusionq doctor
    fusionq doctor --json
    """
    from fusionq.client.doctor import examine
    from fusionq.client.doctor.finding import PROBLEM

    findings = list(examine(session.settings))
    if as_json:
        from fusionq.cli.json_output import print_json

        print_json("findings", map(asdict, findings))
    else:
        _print(findings)
    return PROBLEMS_FOUND if any(finding.state == PROBLEM for finding in findings) else 0


def _print(findings: Sequence[Finding]) -> None:
    """A line each, however narrow the terminal is, and one more with what to do."""
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        state = click.style(f"{finding.state:<7}", fg=COLOURS[finding.state])
        click.echo(f"{state}  {finding.check:<{width}}  {printable(finding.message)}")
        if finding.hint:
            click.echo(f"{'':7}  {'':{width}}  -> {printable(finding.hint)}")
