"""The job file of a job in the editor of the person, until it has no mistakes or they give up."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from fusionq.cli.words import say
from fusionq.errors import UsageError
from fusionq.spec.printable import printable

if TYPE_CHECKING:
    from fusionq.queue.current_spec import CurrentSpec
    from fusionq.spec.load import Loaded

T = TypeVar("T")
Apply = Callable[["Loaded"], T]
"""Does with the changed file what it was opened for. Raises UsageError for what cannot be."""


def edit_file(current: CurrentSpec, apply: Apply[T]) -> T | None:
    """Open the job file, and apply what was saved. Returns None where nothing was saved.

    After a mistake the person is asked whether to open the editor again. Raises the mistake where nobody can
    be asked.
    """
    text = _head(current) + current.to_text()
    while (saved := _open_editor(text)) is not None:
        try:
            loaded = current.from_text(saved)
            return apply(loaded)
        except UsageError as error:
            if not sys.stdin.isatty():
                raise
            say(printable(error.full()))
            if not click.confirm("open the editor again?", default=True, err=True):
                say(f"{current.record.id} is as it was")
                raise click.exceptions.Exit(error.exit_code) from None
            text = saved
    return None


def _head(current: CurrentSpec) -> str:
    record = current.record
    return (
        f"# The job file of {record.name} ({record.id}). Save it to change the job; close the editor\n"
        "# without saving to leave everything as it is.\n"
    )


def _open_editor(text: str) -> str | None:
    """Returns what was saved, None where nothing was. Raises UsageError where there is no editor to open."""
    if not sys.stdin.isatty() and not (os.environ.get("VISUAL") or os.environ.get("EDITOR")):
        raise UsageError("there is no terminal for an editor", hint="say what changes: KEY.PATH=VALUE")
    try:
        return click.edit(text, extension=".yaml")
    except click.ClickException as error:
        raise UsageError(error.message, hint="name another editor: EDITOR=nano") from error
