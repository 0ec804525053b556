"""Write `docs/commands.md` from the commands themselves. Run it after a verb or an option changed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from fusionq.cli.app import ALIASES, VERBS, group
from fusionq.errors import EXIT_OTHER, StateError, WorkerError
from fusionq.spec.states import EXIT_CODES, EXIT_DETACHED, EXIT_TIMEOUT

OUTPUT = Path(__file__).parents[1] / "docs" / "commands.md"

HEAD = """# The commands

Written by `tools/make_command_docs.py` from the commands themselves; `fusionq VERB --help` says the same.

JOB is an id, the beginning of one, a name (the last job of it), or `last`. Data goes to stdout and words to
stderr. With `--json`, times are ISO 8601. A DURATION is such as `30s`, `10m`, `2h30m` or `7d`.

**Every command takes** `--redis-url URL` (another Redis than the usual one), `--debug` (the traceback of an
error) and `-h`, `--help`. `NO_COLOR=1` takes the colours away; in a pipe there are none. A terminal without
Unicode gets bars and curves in ASCII.
"""

WORDS = {"succeeded": "done", "failed": "the job failed", "cancelled": "cancelled", "timed_out": "timed out"}
OTHERS = {
    2: "wrong use, or a wrong job file",
    3: "no such job, worker or file",
    6: "no connection to Redis",
    StateError.exit_code: "not possible in this state, such as cancelling a job that has ended",
    WorkerError.exit_code: "a worker cannot start, such as where torch is missing",
    EXIT_OTHER: "any other error",
    EXIT_TIMEOUT: "`wait --timeout` gave up",
    EXIT_DETACHED: "Ctrl-C: detached, the job goes on",
}
COMMON = {"redis_url", "debug", "help"}


def text() -> str:
    parts = [HEAD, _exit_codes()]
    with click.Context(group, info_name="fusionq") as top:
        for verb in VERBS:
            command = group.get_command(top, verb)
            assert command is not None
            parts += _sections(command, ["fusionq", verb])
    return "\n".join(parts)


def _exit_codes() -> str:
    codes = {code: WORDS[str(outcome)] for outcome, code in EXIT_CODES.items()} | OTHERS
    rows = "\n".join(f"| {code} | {words} |" for code, words in sorted(codes.items()))
    return f"| exit code | |\n|---|---|\n{rows}\n"


def _sections(command: click.Command, words: list[str]) -> Iterator[str]:
    yield _section(command, words)
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _sections(each, [*words, name])


def _section(command: click.Command, words: list[str]) -> str:
    with click.Context(command, info_name=" ".join(words)) as context:
        usage = " ".join([*words, *command.collect_usage_pieces(context)])
        described, examples = _described(command)
        others = [name for name, verb in ALIASES.items() if verb == words[-1] and len(words) == 2]
        parts = [f"## {' '.join(words)}", f"    {usage}", described]
        parts += [f"Also called `{name}`." for name in others]
        options = "\n".join(_options(command, context))
        parts += [options] if options else []
        parts += [f"```bash\n{examples}\n```"] if examples else []
    return "\n\n".join(parts) + "\n"


def _described(command: click.Command) -> tuple[str, str]:
    """The help in words, and its examples."""
    words, _, examples = inspect.cleandoc(command.help or "").partition("\b\n")
    return words.strip(), examples.replace("\b\n", "").strip()


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in COMMON:
            record = parameter.get_help_record(context)
            assert record is not None
            yield f"- `{record[0]}`: {record[1]}"


if __name__ == "__main__":
    OUTPUT.write_text(text())
    print(OUTPUT)
