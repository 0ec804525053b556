from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from fusionq.cli.session import Session, verb

PROGRAM = "fusionq"
VARIABLE = "_FUSIONQ_COMPLETE"  # as click derives it from the name of the program


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@verb
def completion(session: Session, shell: str) -> None:
    """Print what makes SHELL complete commands, options, and the ids of jobs.

    \b
    eval "$(fusionq completion bash)"                # in ~/.bashrc
    eval "$(fusionq completion zsh)"                 # in ~/.zshrc, behind compinit
    fusionq completion fish > ~/.config/fish/completions/fusionq.fish
    """
    from fusionq.cli.app import group

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(group, {}, PROGRAM, VARIABLE).source())
