"""The options that say which jobs are meant, by what they are like, and the question before many are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from itertools import islice
from typing import Any

import click

from fusionq.cli.completing import (
    complete_failure,
    complete_job,
    complete_name,
    complete_queue,
    complete_state,
    complete_tag,
    complete_user,
)
from fusionq.cli.session import Session
from fusionq.cli.words import say
from fusionq.errors import UsageError
from fusionq.spec.failures import FAILURES
from fusionq.spec.near import did_you_mean
from fusionq.spec.states import Outcome, Status
from fusionq.store.selection import Filters

ACTIVE = tuple(str(status) for status in Status if status is not Status.FINISHED)
ENDED = tuple(str(outcome) for outcome in Outcome)
WORDS = (*ACTIVE, *ENDED)
SHOWN = 10  # jobs that are listed before the question

_OPTIONS = (
    ("state", "WORD", "In this state, such as queued, running or failed."),
    ("tag", "TAG", "With this tag."),
    ("name", "NAME", "With this name; * stands for anything."),
    ("user", "USER", "Submitted by this user."),
    ("queue", "QUEUE", "In this queue."),
    ("failure", "CLASS", "Whose last failure was of this class, such as oom."),
    ("sweep", "JOB", "A trial of this sweep."),
)
_COMPLETERS = {
    "state": complete_state,
    "tag": complete_tag,
    "name": complete_name,
    "user": complete_user,
    "queue": complete_queue,
    "failure": complete_failure,
    "sweep": complete_job,
}


@dataclass(frozen=True)
class Chosen:
    """What the options of one call say."""

    filters: Filters
    is_all: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no option was given at all."""
        return self.filters == Filters() and not self.is_all

    def ids(
        self,
        session: Session,
        *,
        oldest_first: bool = False,
        among: Sequence[str] = WORDS,
        most: int | None = None,
    ) -> list[str]:
        """The jobs that are meant, of those in one of the states `among`; no more than `most` are looked for.

        Raises UsageError for a state that no job can be in, or none that is among them, and for an unknown
        class of failures.
        """
        states = _states(self.filters.states, among) or tuple(among)
        _check_failures(self.filters.failures)
        sweeps = tuple(session.store.jobs.find(sweep) for sweep in self.filters.sweeps)
        filters = replace(self.filters, states=states, sweeps=sweeps)
        return list(islice(session.store.selection.ids(filters, oldest_first=oldest_first), most))


def filter_options(*, all_help: str = "") -> Callable[..., Any]:
    """Adds the options to a verb, which gets them as its argument `chosen`; `--all` where that has a help."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def collect(is_all: bool = False, **arguments: Any) -> Any:
            found = {f"{name}s": tuple(arguments.pop(f"with_{name}")) for name, _, _ in _OPTIONS}
            return command(chosen=Chosen(Filters(**found), is_all), **arguments)

        added = click.option("--all", "is_all", is_flag=True, help=all_help)(collect) if all_help else collect
        for name, metavar, text in reversed(_OPTIONS):
            added = click.option(
                f"--{name}",
                f"with_{name}",
                multiple=True,
                metavar=metavar,
                help=text,
                shell_complete=_COMPLETERS.get(name),
            )(added)
        return added

    return add


def active_only(chosen: Chosen) -> Chosen:
    """Of those that are meant, the ones that have not ended, unless a state was named."""
    if chosen.filters.states:
        return chosen
    return replace(chosen, filters=replace(chosen.filters, states=ACTIVE))


def submitted_since(chosen: Chosen, since_s: float | None) -> Chosen:
    """Of those that are meant, the ones of the last while."""
    return chosen if since_s is None else replace(chosen, filters=replace(chosen.filters, newer_s=since_s))


def active_jobs(
    session: Session,
    jobs: Sequence[str],
    chosen: Chosen,
    deed: str,
    *,
    is_sure: bool,
    held_only: bool = False,
) -> list[str]:
    """The jobs and sweeps that are named, or those that have not ended and that the options mean."""
    if jobs:
        return list(dict.fromkeys(session.store.jobs.find(job) for job in jobs))
    found = chosen.ids(session, oldest_first=True, among=ACTIVE)
    if held_only:
        found = [record.id for record in session.store.jobs.get_many(found) if record.held]
    if not found:
        say("no active job matches")
    ask_first(session, found, deed, is_sure=is_sure)
    return found


def named_jobs(session: Session, references: Sequence[str]) -> list[str]:
    """Returns the ids of the jobs that are named; a sweep means its trials. Raises NotFoundError."""
    store = session.store
    found = (store.jobs.find(reference) for reference in references)
    ids = [store.sweeps.trial_ids(one) if store.sweeps.exists(one) else [one] for one in found]
    return list(dict.fromkeys(job_id for its in ids for job_id in its))


def check_reference(jobs: Sequence[str], chosen: Chosen, verb: str) -> None:
    """Either jobs are named, or options say which. Raises UsageError."""
    if not jobs and chosen.is_empty:
        raise UsageError(
            f"which jobs? name them: fusionq {verb} JOB", hint="or choose them by options such as --tag"
        )
    if jobs and not chosen.is_empty:
        raise UsageError(
            "name jobs or choose them by options, not both", hint="the trials of one sweep: --sweep JOB"
        )


def ask_first(session: Session, job_ids: Sequence[str], deed: str, *, is_sure: bool) -> None:
    """A question where options hit more than one job; `deed` is such as 'cancel'.

    Raises Abort for a no, UsageError where nobody can answer.
    """
    if is_sure or len(job_ids) < 2:
        return
    for record in session.store.jobs.get_many(job_ids[:SHOWN]):
        say(f"  {record.id}  {record.state_word:10} {record.name}")
    if len(job_ids) > SHOWN:
        say(f"  … and {len(job_ids) - SHOWN:,} more")
    if not sys.stdin.isatty():
        raise UsageError(
            f"this would {deed} {len(job_ids):,} jobs", hint="say -y to do it without a question"
        )
    click.confirm(f"{deed} these {len(job_ids):,} jobs?", abort=True, err=True)


def _states(words: Sequence[str], among: Collection[str]) -> tuple[str, ...]:
    words = [word.replace(" ", "_").replace("-", "_") for word in words]  # as the table writes it, too
    for word in words:
        if word == "held":
            raise UsageError("unknown state 'held'", hint="held jobs are waiting: --state waiting")
        if word not in WORDS:
            raise UsageError(f"unknown state {word!r}{did_you_mean(word, WORDS)}")
        if word not in among:
            raise UsageError(
                f"this is not for jobs that are {word}", hint=f"for those that are {', '.join(among)}"
            )
    return tuple(words)


def _check_failures(words: Sequence[str]) -> None:
    for word in words:
        if word not in FAILURES:
            raise UsageError(f"no failure is called {word!r}{did_you_mean(word, FAILURES)}")
