"""The group of verbs, each loaded when it is called, and the edge at which errors become words."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

import fusionq
from fusionq.cli.encoding import suit_streams
from fusionq.cli.session import Session, common_options
from fusionq.errors import EXIT_OTHER, FusionqError
from fusionq.spec.printable import one_line, printable, text_of
from fusionq.spec.states import EXIT_DETACHED

# Each verb, which is its module too, and its line in the help: listing them must not import them.
VERBS = {
    "run": "Submit a job, start what is missing, and follow it to its end.",
    "init": "Write a job file to start from; --full explains every key.",
    "submit": "Put a job into the queue and print its id.",
    "validate": "Check job files without queueing anything.",
    "status": "Show the jobs, or everything about one.",
    "watch": "Show everything as it goes on, on the whole screen.",
    "logs": "Print what a job printed; -f follows it.",
    "metrics": "Show what jobs measured, as a table or as curves.",
    "why": "Say what a job waits for, or how it ended.",
    "open": "Print the run folder of a job, and show it.",
    "download": "Fetch the files of a job from wherever they lie.",
    "exec": "Run a command beside a running job, wherever it runs.",
    "attach": "Open a shell beside a running job, wherever it runs.",
    "compare": "Compare the trials of a sweep, or jobs, best first.",
    "wait": "Wait until jobs have ended, with their exit code.",
    "cancel": "Stop a job for good, wherever it stands.",
    "retry": "Queue a job that has ended once more.",
    "clean": "Show or remove jobs that have ended, with their run folders.",
    "hold": "Keep a job from running until it is released.",
    "release": "Let a held job run again.",
    "edit": "Change the job file of a job that was never started.",
    "priority": "Change the place of a job in its queue.",
    "queue": "Show the queues; pause and resume them.",
    "worker": "Run jobs on this machine until Ctrl-C.",
    "workers": "Show the workers and what they have.",
    "completion": "Print what makes your shell complete commands and ids.",
    "schema": "Print the JSON Schema of the job file, for editors.",
    "help": "Explain a command, as --help does.",
    "version": "Print the version.",
    "doctor": "Examine Redis, the workers and this machine, and say what is wrong.",
    "recover": "Put jobs back that Redis has lost, from their run folders.",
    "up": "Start the embedded Redis.",
    "down": "Stop the embedded Redis.",
}
# What people type who come from other queues.
ALIASES = {
    "ps": "status",
    "ls": "status",
    "list": "status",
    "tail": "logs",
    "top": "watch",
    "kill": "cancel",
    "stop": "cancel",
    "rerun": "retry",
    "requeue": "retry",
    "rm": "clean",
    "delete": "clean",
}
# Words that are no verb here, and what does what is meant by them.
MEANT = {
    "add": "submit",
    "apply": "submit",
    "change": "edit",
    "check": "validate",
    "cp": "download",
    "dashboard": "watch",
    "describe": "status",
    "get": "status",
    "gpus": "workers",
    "info": "status",
    "inspect": "status",
    "jobs": "status",
    "modify": "edit",
    "nodes": "workers",
    "pause": "hold",
    "plot": "metrics",
    "remove": "clean",
    "restart": "retry",
    "resume": "release",
    "shell": "attach",
    "show": "status",
    "start": "release",
    "stash": "hold",
    "ui": "watch",
    "unpause": "release",
}
FUNCTIONS = {"open": "open_", "exec": "exec_", "help": "help_"}  # where the verb is a word of Python


class Verbs(click.Group):
    """A group that imports a verb's module only when that verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = ALIASES.get(cmd_name, cmd_name)
        if verb not in VERBS:
            return None
        module = importlib.import_module(f"fusionq.cli.{verb}")
        return getattr(module, FUNCTIONS.get(verb, verb))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from fusionq.spec.near import did_you_mean

            word = args[0]
            hint = (
                f"; did you mean {MEANT[word]!r}?"
                if word in MEANT
                else did_you_mean(word, [*VERBS, *ALIASES])
            )
            raise click.UsageError(error.message.rstrip(".") + hint, ctx) from None


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(fusionq.__version__, "-V", "--version", prog_name="fusionq")
@common_options
def group() -> None:
    """A queue for PyTorch training jobs on GPUs you own.

    \b
    Try it:   fusionq init && fusionq run job.yaml
    """


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code. No traceback without --debug."""
    session = Session()
    suit_streams()
    try:
        colour = False if os.environ.get("NO_COLOR") else None  # None: as the terminal can
        code = group.main(arguments, prog_name="fusionq", obj=session, color=colour, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as leaving:
        code = leaving.exit_code
    except click.ClickException as error:
        click.echo(_line_of(error), err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = EXIT_DETACHED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at exit
        code = 0
    except Exception as error:
        if session.debug:
            raise
        code = _tell(error)
    finally:
        session.close()
    sys.exit(code if isinstance(code, int) else 0)


def _line_of(error: click.ClickException) -> str:
    """What click says of a call, in one line as all mistakes; the help where nothing was typed."""
    message = error.format_message()
    if "\n" in message:
        return message
    message = printable(message[:1].lower() + message[1:].rstrip("."))
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "fusionq"
    return f"fusionq: {message}" + ("" if message.endswith("?") else f"; see: {path} --help")


def _tell(error: Exception) -> int:
    if isinstance(error, FusionqError):
        click.echo(printable(error.full()), err=True)
        return error.exit_code
    words = one_line(text_of(error))
    click.echo(f"fusionq: unexpected {type(error).__name__}: {words}; --debug shows where", err=True)
    return EXIT_OTHER
