from __future__ import annotations

import click

from fusionq.cli.session import Session, verb


@click.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@verb
def help_(session: Session, words: tuple[str, ...]) -> None:
    """Explain a COMMAND, as its --help does; without one, list the commands.

    \b
    fusionq help submit
    fusionq help queue pause
    """
    from fusionq.cli.app import group

    context = click.Context(group, info_name="fusionq", obj=session)
    command: click.Command = group
    for word in words:
        if not isinstance(command, click.Group):
            raise click.UsageError(f"{command.name!r} has no commands of its own")
        name, found, _ = command.resolve_command(context, [word])
        assert found is not None
        command = found
        context = click.Context(command, info_name=name, parent=context)
    click.echo(command.get_help(context))
