from __future__ import annotations

import click

from fusionq.cli.completing import complete_running_job
from fusionq.cli.exec import is_on_terminal, run_beside
from fusionq.cli.session import Session, verb
from fusionq.errors import UsageError

# That of the worker's user, but for one that lets nobody in, as services have it. Not as a login shell: the
# profile of a system would take the environment of the job off PATH.
SHELL = ("/bin/sh", "-c", 'case "$SHELL" in "" | */nologin | */false) SHELL=/bin/sh;; esac; exec "$SHELL"')


@click.command("attach")
@click.argument("job", shell_complete=complete_running_job)
@verb
def attach(session: Session, job: str) -> int:
    """Open a shell beside JOB while it runs: on its worker, in its environment and folder, with its GPUs.

    It is the $SHELL of the worker's user, and every key goes there, Ctrl-C too. Ctrl-D or `exit` leaves it,
    with its exit code; the job goes on. The end of the job ends the shell, and the end of the shell whatever
    it left in the background. `fusionq exec -it` does the same with another command.

    \b
    fusionq attach last
    """
    if not is_on_terminal():
        raise UsageError("attach needs a terminal", hint=f"without one: fusionq exec {job} -- COMMAND")
    return run_beside(session, job, SHELL, takes_input=True, has_terminal=True)
