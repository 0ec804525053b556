"""What a submission would queue, printed and not queued."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fusionq.cli.submission_check import check_here
from fusionq.cli.words import say

if TYPE_CHECKING:
    from fusionq.cli.session import Session
    from fusionq.spec.load import Loaded

SHOWN_TRIALS = 10


def print_all(session: Session, loaded: list[Loaded], is_deep: bool) -> None:
    """The resolved jobs on stdout, as a file that could be submitted; what would become of them beside it."""
    from fusionq.queue.freezing import describe_code
    from fusionq.queue.work_folder import work_folder
    from fusionq.spec.secrets import mask_spec
    from fusionq.spec.writer import to_yaml

    if is_deep:
        check_here(session, loaded)
    for i, one in enumerate(loaded):
        if i:
            click.echo("---")
        click.echo(to_yaml(mask_spec(one.spec.to_data())), nl=False)
        _say_what_would_be(one, describe_code(session.settings, one.jobs, work_folder()))
    say("nothing was queued")


def _say_what_would_be(one: Loaded, code: list[str]) -> None:
    from fusionq.spec.after import jobs_of

    spec = one.spec
    what = f"a sweep of {len(one.trials)} trials" if one.trials else "a job"
    say(f"{spec.name}: {what} for the queue {spec.queue!r}, priority {spec.priority}")
    if spec.after:
        say(f"  after       {', '.join(jobs_of(spec.after))}")
    if spec.not_before:
        say(f"  starts      no earlier than {spec.not_before}")
    for line in code:
        say(f"  code        {line}")
    for trial in one.trials[:SHOWN_TRIALS]:
        say(f"  {trial}")
    if len(one.trials) > SHOWN_TRIALS:
        say(f"  … and {len(one.trials) - SHOWN_TRIALS} more")
