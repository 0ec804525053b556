from __future__ import annotations

import click

import fusionq
from fusionq.cli.session import Session, verb


@click.command()
@verb
def version(session: Session) -> None:
    """Print the version of fusionq.

    \b
    fusionq version
    """
    click.echo(f"fusionq, version {fusionq.__version__}")
