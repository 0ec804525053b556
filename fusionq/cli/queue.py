from __future__ import annotations

from typing import Any

import click

from fusionq.cli.completing import complete_queue
from fusionq.cli.parameters import Duration
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import NotFoundError
from fusionq.spec.near import did_you_mean
from fusionq.spec.units import format_duration
from fusionq.spec.users import user_name


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@verb
@click.pass_context
def queue(ctx: click.Context, session: Session, as_json: bool) -> None:
    """Show the queues; pause and resume them, and set who goes first.

    \b
    fusionq queue
    fusionq queue pause default
    fusionq queue order fifo
    """
    ctx.obj = session
    if ctx.invoked_subcommand is None:
        _print_queues(session, as_json)


@queue.command()
@click.argument("names", nargs=-1, required=True, metavar="QUEUE...", shell_complete=complete_queue)
@click.option("--requeue", is_flag=True, help="Its running jobs save their state and go back to it.")
@click.option("--reason", default="", metavar="TEXT", help="Shown to the people whose jobs wait.")
@verb
def pause(session: Session, names: tuple[str, ...], requeue: bool, reason: str) -> None:
    """Start no more jobs of a QUEUE; those that run finish, unless they are told to go back.

    \b
    fusionq queue pause default --reason "new driver at 14:00"
    fusionq queue pause default --requeue
    """
    for name in _known(session, names):
        session.store.queues.pause(name, reason or f"by {user_name()}")
        told = session.store.queues.clear(name) if requeue else 0
        jobs = f"; {told} running {'job goes' if told == 1 else 'jobs go'} back to it" if requeue else ""
        say(f"the queue {name!r} is paused{jobs}; go on: fusionq queue resume {name}")


@queue.command()
@click.argument("names", nargs=-1, required=True, metavar="QUEUE...", shell_complete=complete_queue)
@verb
def resume(session: Session, names: tuple[str, ...]) -> None:
    """Start jobs of a QUEUE again.

    \b
    fusionq queue resume default
    """
    for name in _known(session, names):
        is_over = session.store.queues.resume(name)
        say(f"the queue {name!r} {'goes on' if is_over else 'was not paused'}")
    session.ask_for_pass()


@queue.command()
@click.argument("word", required=False, metavar="[fair|fifo]", type=click.Choice(["fair", "fifo"]))
@verb
def order(session: Session, word: str | None) -> None:
    """Show or change who goes first within a priority.

    fair: a user who already runs many waits behind one who runs none. fifo: first come, first served.

    \b
    fusionq queue order
    fusionq queue order fifo
    """
    if word is None:
        click.echo(session.store.queues.order())
        return
    session.store.queues.set_order(word)
    say(f"within a priority the order is {word} now")
    session.ask_for_pass()


@queue.command()
@click.argument("duration_s", required=False, metavar="[DURATION]", type=Duration())
@verb
def patience(session: Session, duration_s: float | None) -> None:
    """Show or change how long a job that needs much of one worker waits behind smaller ones.

    After that, what becomes free on the worker that lacks least is reserved for it. The default is 10m.

    \b
    fusionq queue patience
    fusionq queue patience 1h
    """
    if duration_s is None:
        click.echo(format_duration(session.store.queues.patience()))
        return
    session.store.queues.set_patience(duration_s)
    say(f"a large job waits {format_duration(duration_s)} until a worker is kept free for it")
    session.ask_for_pass()


def _known(session: Session, names: tuple[str, ...]) -> tuple[str, ...]:
    """Queues that jobs stand in or workers serve. Raises NotFoundError for one that nobody knows."""
    store = session.store
    known = {"default", *store.queues.counts(), *store.queues.paused()}
    known |= {name for worker in store.workers.alive() for name in worker.queues}
    for name in names:
        if name not in known:
            raise NotFoundError(
                f"there is no queue {name!r}{did_you_mean(name, known)}", hint="`fusionq queue` lists them"
            )
    return names


def _print_queues(session: Session, as_json: bool) -> None:
    rows = _rows(session)
    if as_json:
        from fusionq.cli.json_output import print_json

        print_json("queues", rows, order=session.store.queues.order())
        return
    from fusionq.cli.tables import print_table

    table = [
        [
            row["name"],
            f"{click.style('paused', fg='red')}: {row['reason']}" if row["is_paused"] else "open",
            str(row["queued"]),
            str(row["running"]),
            ", ".join(row["workers"]) or "none",
        ]
        for row in rows
    ]
    print_table(["QUEUE", "STATE", "QUEUED", "RUNNING", "WORKERS"], table)
    say(f"within a priority the order is {session.store.queues.order()}")


def _rows(session: Session) -> list[dict[str, Any]]:
    store = session.store
    counts, paused, workers = store.queues.counts(), store.queues.paused(), store.workers.alive()
    names = sorted({*counts, *paused, *(name for worker in workers for name in worker.queues)})
    return [
        {
            "name": name,
            "is_paused": name in paused,
            "reason": paused.get(name, ""),
            "queued": counts[name].pending if name in counts else 0,
            "running": counts[name].running if name in counts else 0,
            "workers": [worker.name for worker in workers if name in worker.queues],
        }
        for name in names
    ]
