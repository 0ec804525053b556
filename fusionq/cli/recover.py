from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fusionq.cli.session import Session, verb
from fusionq.cli.words import coloured, count_of, say

if TYPE_CHECKING:
    from fusionq.queue.recovery import LostJob

SHOWN = 50
NOTHING_LOST = "Redis has lost no job whose run folder is here"


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Put them back.")
@click.option("--any-redis", is_flag=True, help="Also jobs that ran under another Redis, which is gone.")
@verb
def recover(session: Session, yes: bool, any_redis: bool) -> None:
    """Show the jobs that Redis has lost and whose run folders are on this machine, or put them back.

    Jobs that had ended come back as they ended; jobs that ran go on from their last checkpoint, once no
    worker can still run them. What is in Redis stays as it is, so this may be repeated. Jobs that had not
    begun left nothing on disk, and trials come back as jobs of their own.

    \b
    fusionq recover
    fusionq recover -y
    """
    from fusionq.queue.recovery import find_lost, put_back

    store, settings = session.store, session.settings
    found = find_lost(store, settings)
    lost = [job for job in found if any_redis or job.place == store.place]
    others = sorted({job.place for job in found if job not in lost})
    if others:
        say(f"{count_of(len(found) - len(lost), 'job')} ran under another Redis ({', '.join(others)})")
        say("if that Redis is gone for good, add --any-redis to put them back, too")
    if not yes:
        _show(lost)
        return
    if not lost:
        say(NOTHING_LOST)
        return
    store.identity.note_recovery()  # first: an interrupted call must not leave copies that still run
    count = sum(put_back(store, settings, job) for job in lost)
    session.ask_for_pass()
    say(f"{count_of(count, 'job')} put back; a worker that still runs such a job ends it within seconds")


def _show(lost: list[LostJob]) -> None:
    from fusionq.cli.tables import print_table

    if not lost:
        say(NOTHING_LOST)
        return
    rows = [[job.id, job.name, coloured(job.state_word), job.reason] for job in lost[:SHOWN]]
    print_table(["ID", "NAME", "BECOMES", "REASON"], rows)
    if len(lost) > SHOWN:
        say(f"… and {len(lost) - SHOWN:,} more")
    say(f"{count_of(len(lost), 'job')} would be put back; add -y to do it")
