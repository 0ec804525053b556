from __future__ import annotations

import sys

import click

from fusionq.cli.completing import complete_job
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import UsageError


# What stands behind JOB is the command's, options too.
@click.command("exec", context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
@click.argument("job", shell_complete=complete_job)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND [ARG]...")
@verb
def exec_(session: Session, job: str, command: tuple[str, ...]) -> int:
    """Run a command beside JOB while it runs: on its worker, in its environment and folder, with its GPUs.

    Prints what the command prints, and ends with its exit code. Ctrl-C ends the command and not the job; the
    end of the job ends the command, and the end of the command whatever it left in the background. It gets
    no input, and its memory counts as the job's.

    \b
    fusionq exec last -- nvidia-smi
    fusionq exec digits -- python -c 'import torch; print(torch.cuda.device_count())'
    fusionq exec last -- sh -c 'ls -l $FUSIONQ_RUN_DIR'
    """
    from fusionq.client.command import run_command

    words = command[1:] if command[0] == "--" else command
    if not words:
        raise UsageError("a command is missing behind --", hint="write one: fusionq exec last -- nvidia-smi")
    record = session.store.jobs.get(session.store.jobs.find_job(job))
    try:
        return run_command(session.store, session.sender, record, words, _write)
    except KeyboardInterrupt:
        say(f"\nthe command is ended; {record.name} ({record.id}) goes on")
        raise


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
