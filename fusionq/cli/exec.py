from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from fusionq.cli.completing import complete_running_job
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import FusionqError, UsageError


# What stands behind JOB is the command's, options too.
@click.command("exec", context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
@click.option("-i", "--interactive", is_flag=True, help="Pass standard input on to it, to its end.")
@click.option("-t", "--tty", is_flag=True, help="Give it a terminal; -it: this one, Ctrl-C is the command's.")
@click.argument("job", shell_complete=complete_running_job)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND [ARG]...")
@verb
def exec_(session: Session, interactive: bool, tty: bool, job: str, command: tuple[str, ...]) -> int:
    """Run a command beside JOB while it runs: on its worker, in its environment and folder, with its GPUs.

    Prints what the command prints, and ends with its exit code. Ctrl-C ends the command and not the job; the
    end of the job ends the command, and the end of the command whatever it left in the background. It gets
    no input without -i, and its memory counts as the job's.

    \b
    fusionq exec last -- nvidia-smi
    fusionq exec digits -- python -c 'import torch; print(torch.cuda.device_count())'
    fusionq exec last -- sh -c 'ls -l $FUSIONQ_RUN_DIR'
    fusionq exec -it last -- python
    fusionq exec -i last -- tar x < more.tar
    """
    words = command[1:] if command[0] == "--" else command
    if not words:
        raise UsageError("a command is missing behind --", hint="write one: fusionq exec last -- nvidia-smi")
    if interactive and tty and not is_on_terminal():
        raise UsageError("-it needs a terminal", hint="-i alone passes on what is no terminal")
    return run_beside(session, job, words, takes_input=interactive, has_terminal=tty)


def is_on_terminal() -> bool:
    """Returns whether somebody may type here."""
    return sys.stdin is not None and sys.stdin.isatty()


def run_beside(
    session: Session, job: str, words: Sequence[str], *, takes_input: bool, has_terminal: bool
) -> int:
    """Run a command beside a job from here. Returns its exit code."""
    from fusionq.cli.standard_input import StandardInput, own_terminal
    from fusionq.client.command import run_command

    record = session.store.jobs.get(session.store.jobs.find_job(job))
    output = _Output()
    try:
        return run_command(
            session.store,
            session.sender,
            record,
            words,
            output.write,
            source=StandardInput(is_raw=has_terminal) if takes_input else None,
            terminal=own_terminal() if has_terminal else None,
        )
    except KeyboardInterrupt:
        say(f"\nthe command is ended; {record.name} ({record.id}) goes on")
        raise
    except (FusionqError, SystemExit):  # the latter by a signal
        output.end_line()
        raise


class _Output:
    """What a command prints, as it comes."""

    def __init__(self) -> None:
        self._is_in_line = False

    def write(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self._is_in_line = not data.endswith(b"\n")

    def end_line(self) -> None:
        """What is said next stands on a line of its own, behind a prompt too."""
        if self._is_in_line:
            say()
