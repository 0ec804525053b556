from __future__ import annotations

from typing import TYPE_CHECKING

import click

from fusionq.cli.completing import complete_active_job
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say

if TYPE_CHECKING:
    from fusionq.spec.load import Loaded


@click.command()
@click.argument("job", shell_complete=complete_active_job)
@click.argument("changes", nargs=-1, metavar="[KEY.PATH=VALUE]...")
@verb
def edit(session: Session, job: str, changes: tuple[str, ...]) -> None:
    """Change the job file of a JOB that was never started; it keeps its id, its code and its place.

    Opens the file in $VISUAL or $EDITOR, and checks what is saved as `submit` does: after a mistake the
    editor can be opened again. KEY.PATH=VALUE changes it without an editor.

    What it comes after, its task and its code cannot change. For a job that has ended: fusionq retry --edit.

    \b
    fusionq edit last
    fusionq edit k3m9x2ab queue=large train.epochs=40
    """
    from fusionq.cli.editor import edit_file
    from fusionq.cli.submission_check import check_change, warn_never
    from fusionq.queue.current_spec import read_current_spec
    from fusionq.queue.job_edit import edit_job, refuse_started

    store = session.store
    current = read_current_spec(store, store.jobs.find_job(job))
    refuse_started(current.record)

    def apply(loaded: Loaded) -> list[str]:
        return edit_job(store, current, loaded, lambda: check_change(session, current, loaded))

    changed = apply(current.with_overrides(changes)) if changes else edit_file(current, apply)
    job_id = current.record.id
    if not changed:
        say(f"nothing changed; {job_id} is as it was")
        return
    say(f"{job_id} has changed: {', '.join(changed)}; look at it: fusionq status {job_id}")
    warn_never(session, [read_current_spec(store, job_id).before])
    session.ask_for_pass()
