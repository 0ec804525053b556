from __future__ import annotations

from collections.abc import Sequence

import click

from fusionq.cli.completing import complete_active_job
from fusionq.cli.selecting import ACTIVE, Chosen, ask_first, check_reference, filter_options
from fusionq.cli.session import Session, verb
from fusionq.cli.words import coloured, count_of, counts_text, say, say_state
from fusionq.errors import StateError
from fusionq.spec.states import Outcome, Status
from fusionq.spec.stops import CANCELLED_WHILE_IT_WAITED

TOLD = 20  # jobs that ended at once and have a line each; more are counted


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_active_job)
@filter_options(all_help="Every job that has not ended, whoever submitted it.")
@click.option(
    "--now", is_flag=True, help="Kill them at once: what they did since their last checkpoint is lost."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask, also where options hit many jobs.")
@click.option("--no-wait", is_flag=True, help="Do not wait until they are really gone.")
@verb
def cancel(
    session: Session, jobs: tuple[str, ...], chosen: Chosen, now: bool, yes: bool, no_wait: bool
) -> None:
    """Stop each JOB; a sweep means all its trials. The command returns when they are gone.

    A running job saves its state first, and is killed with all its processes where that takes longer than its
    `grace`. `fusionq retry` resumes it from its last checkpoint.

    Options choose among all jobs that have not ended. You are asked before several are cancelled; use -y in
    scripts.

    \b
    fusionq cancel last
    fusionq cancel --tag lr-search --state queued
    fusionq cancel --all --now -y
    """
    check_reference(jobs, chosen, "cancel")
    named = list(dict.fromkeys(session.store.jobs.find(job) for job in jobs))
    selected = [] if jobs else chosen.ids(session, among=ACTIVE)
    if not named and not selected:
        say("no active job matches")
        return
    ask_first(session, selected, "cancel", is_sure=yes)
    _Cancelling(session, named, now=now).run(selected, is_waiting=not no_wait)


class _Cancelling:
    """One call: asks all of them to stop, then tells of each that is gone."""

    def __init__(self, session: Session, named: Sequence[str], *, now: bool) -> None:
        self._session = session
        self._store = session.store
        self._now = now
        self._named = named
        self._too_late: list[str] = []
        self._sweeps: list[str] = []

    def run(self, selected: Sequence[str], *, is_waiting: bool) -> None:
        """Raises FusionqError where something that was named had ended already, the others being gone."""
        from fusionq.client.wait import wait_for_jobs

        seen = self._store.streams.last_event()  # before anything can end
        asked = self._ask(selected)
        self._session.ask_for_pass()  # turns and places are free now
        if asked and is_waiting:
            what = asked[0] if len(asked) == 1 else count_of(len(asked), "job")
            say(f"stopping {what} …" if self._now else f"saving the state of {what}, then stopping …")
            wait_for_jobs(self._store, asked, tell=say_state, check=self._check_workers, seen=seen)
        elif asked:
            say(f"{count_of(len(asked), 'job')} asked to stop")
        for sweep_id in self._sweeps:
            say_state(self._store.sweeps.get(sweep_id))
        if self._too_late:
            raise StateError("; ".join(self._too_late))

    def _ask(self, selected: Sequence[str]) -> list[str]:
        """Returns those that run, and have been told."""
        asked: list[str] = []
        for found in self._named:
            asked += self._ask_sweep(found) if self._store.sweeps.exists(found) else self._ask_job(found)
        answers = self._store.bulk.cancel(selected, CANCELLED_WHILE_IT_WAITED, now=self._now)
        self._tell_ended([job_id for job_id, answer in answers.items() if answer == "cancelled"])
        return asked + [job_id for job_id, answer in answers.items() if answer == "asked"]

    def _ask_job(self, job_id: str) -> list[str]:
        answer = self._store.jobs.cancel(job_id, CANCELLED_WHILE_IT_WAITED, now=self._now)
        if answer == "asked":
            return [job_id]
        record = self._store.jobs.get(job_id)
        if answer == "finished" and record.outcome is not Outcome.CANCELLED:
            self._too_late.append(f"{job_id} has ended already: {record.state_word}")
        else:
            say_state(record)
        return []

    def _ask_sweep(self, sweep_id: str) -> list[str]:
        done = self._store.sweeps.cancel(sweep_id, CANCELLED_WHILE_IT_WAITED, now=self._now)
        if not done.cancelled and not done.asked:
            self._too_late.append(
                f"{sweep_id} has ended already: {counts_text(self._store.sweeps.get(sweep_id))}"
            )
            return []
        self._sweeps.append(sweep_id)
        trials = self._store.sweeps.trials(sweep_id) if done.asked else []
        return [trial.id for trial in trials if trial.status is Status.RUNNING]

    def _check_workers(self) -> None:
        """Raises StateError where no worker is left that could end them."""
        if not self._store.workers.alive():
            raise StateError(
                "no worker is left that could end them",
                hint="they end as soon as a worker starts: fusionq worker",
            )

    def _tell_ended(self, job_ids: Sequence[str]) -> None:
        for record in self._store.jobs.get_many(job_ids) if len(job_ids) <= TOLD else ():
            say_state(record)
        if len(job_ids) > TOLD:
            say(f"{len(job_ids):,} jobs {coloured('cancelled')} before they ran")
