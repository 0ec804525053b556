from __future__ import annotations

import importlib.util
import os
import re
import sys

import click

from fusionq.cli.completing import complete_worker
from fusionq.cli.parameters import Integer
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say
from fusionq.errors import UsageError, WorkerError
from fusionq.spec.stops import DRAIN, LEAVE, LEAVE_NOW, MOST_SLOTS

MODULE = "fusionq.worker"


def _slots(_: click.Context, option: click.Parameter, text: str | None) -> str | None:
    if text and not re.fullmatch(r"(per-gpu:)?([1-9]\d{0,2}|1000)", text):
        raise click.BadParameter(f"{text!r} is not a number from 1 to 1000, or such as per-gpu:2")
    return text


def _metrics_port(_: click.Context, option: click.Parameter, text: str | None) -> str | None:
    port = (text or "").rpartition(":")[2]
    if text and not (port.isdecimal() and int(port) < 65536):
        raise click.BadParameter(f"{text!r} is not a port from 0 to 65535, or such as 0.0.0.0:9400")
    return text


def _labels(_: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> str:
    labels = [part for text in texts for part in text.split(",") if part]
    for label in labels:
        if not all(label.partition("=")[::2]):
            raise click.BadParameter(f"{label!r} is not a label such as site=berlin")
    return ",".join(labels)


@click.group(invoke_without_command=True)
@click.option("--name", help="Name of this worker; default: the name of this machine.")
@click.option(
    "--slots",
    callback=_slots,
    metavar="N|per-gpu:K",
    help="Jobs at once; default: one per GPU, or one.",
)
@click.option("--gpus", metavar="all|none|0,2", help="Which GPUs to use; default: all.")
@click.option("--queues", metavar="A,B", help="Which queues to serve; default: default.")
@click.option(
    "--labels",
    multiple=True,
    callback=_labels,
    metavar="KEY=VALUE",
    help="What jobs may ask for, such as site=berlin; may be repeated, or separated by commas.",
)
@click.option(
    "--foreign",
    type=click.Choice(["skip", "share", "ignore"]),
    help="A GPU on which others compute: leave it alone (skip, the default), use what they leave (share, for "
    "jobs with gpu_memory), or take it all the same (ignore).",
)
@click.option(
    "--address",
    metavar="IP",
    help="Address at which jobs of several nodes reach this machine; default: its address towards Redis.",
)
@click.option(
    "--metrics-port",
    callback=_metrics_port,
    metavar="[HOST:]PORT",
    help="Serve metrics for Prometheus there; to this machine alone unless a host is given.",
)
@click.option("--exit-when-idle", is_flag=True, help="Exit when nothing is left to do.")
@verb
def worker(
    session: Session,
    name: str | None,
    slots: str | None,
    gpus: str | None,
    queues: str | None,
    labels: str,
    foreign: str | None,
    address: str | None,
    metrics_port: str | None,
    exit_when_idle: bool,
) -> None:
    """Run jobs on this machine until Ctrl-C, which lets running jobs save their state and queue again.

    With a command: stop a worker, wherever it runs, or let it go on.

    \b
    fusionq worker --slots 2 --labels site=berlin
    fusionq worker stop gpu-box --drain
    """
    if click.get_current_context().invoked_subcommand:
        return
    environ = worker_environ(
        session,
        name=name,
        slots=slots,
        gpus=gpus,
        queues=queues,
        labels=labels,
        foreign=foreign,
        address=address,
        metrics_port=metrics_port,
        exit_when_idle=exit_when_idle,
    )
    say(f"starting a worker on {session.store.redis.shown_url}; it warms up first")
    session.close()
    os.execve(sys.executable, [sys.executable, "-P", "-m", MODULE], environ)


@worker.command()
@click.argument("name", required=False, metavar="NAME", shell_complete=complete_worker)
@click.option("--drain", "word", flag_value=DRAIN, help="Let running jobs finish first; no new ones start.")
@click.option(
    "--requeue",
    "word",
    flag_value=LEAVE,
    default=True,
    help="Let running jobs save their state and queue again; no retry is used up. This is the default.",
)
@click.option(
    "--now",
    "word",
    flag_value=LEAVE_NOW,
    help="Kill running jobs; they queue again from their last checkpoint.",
)
@click.option("--no-wait", is_flag=True, help="Do not wait until it is really gone.")
@verb
def stop(session: Session, name: str | None, word: str, no_wait: bool) -> None:
    """Stop the worker NAME, wherever it runs, and return when it is gone. `fusionq workers` lists them.

    \b
    fusionq worker stop gpu-box
    fusionq worker stop gpu-box --drain --no-wait
    """
    from fusionq.cli.leaving import stop_worker

    stop_worker(session, _named(session, "stop", name), word, is_waiting=not no_wait)


@worker.command("set")
@click.argument("name", required=False, metavar="NAME", shell_complete=complete_worker)
@click.option("--slots", type=Integer(1, MOST_SLOTS), required=True, metavar="N", help="Jobs at once.")
@verb
def set_(session: Session, name: str | None, slots: int) -> None:
    """Change the worker NAME while it runs. Running jobs go on; it forgets the change when it ends.

    \b
    fusionq worker set gpu-box --slots 3
    """
    from fusionq.cli.leaving import await_slots

    name = _named(session, "set", name)
    session.store.workers.set_slots(name, slots)
    await_slots(session.store, name, slots)
    say(f"{name} has {slots} slot{'s' if slots > 1 else ''} now")


@worker.command()
@click.argument("name", required=False, metavar="NAME", shell_complete=complete_worker)
@verb
def resume(session: Session, name: str | None) -> None:
    """Let the worker NAME take jobs again after a quarantine, which begins where jobs fail in a row.

    \b
    fusionq worker resume gpu-box
    """
    name = _named(session, "resume", name)
    if session.store.workers.resume(name):
        session.ask_for_pass()
        say(f"{name} takes jobs again within seconds")
    else:
        say(f"{name} was not in quarantine")


def _named(session: Session, verb: str, name: str | None) -> str:
    """Returns the name. Raises UsageError where it is missing, with those that there are."""
    if name is not None:
        return name
    alive = [worker.name for worker in session.store.workers.alive()]
    if not alive:
        raise UsageError("which worker? none is alive", hint="start one: fusionq worker")
    raise UsageError(
        f"which worker? alive are: {', '.join(alive)}", hint=f"name it: fusionq worker {verb} {alive[0]}"
    )


def worker_environ(session: Session, **options: str | int | bool | None) -> dict[str, str]:
    """Returns a worker's environment (see `fusionq.worker.options`). Raises WorkerError without torch."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec(MODULE) is None:
        raise WorkerError(
            "a worker needs torch, which is not installed here", hint="pip install 'fusionq[worker]'"
        )
    chosen = {
        f"FUSIONQ_WORKER_{key.upper()}": "1" if value is True else str(value)
        for key, value in options.items()
        if value
    }
    return {**os.environ, **session.settings.to_environ(), **chosen}
