from __future__ import annotations

import click

from fusionq.cli.completing import complete_active_job
from fusionq.cli.session import Session, verb
from fusionq.cli.words import say


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
    from fusionq.queue.current_spec import read_current_spec
    from fusionq.queue.job_edit import edit_job, refuse_started

    store = session.store
    current = read_current_spec(store, store.jobs.find_job(job))
    refuse_started(current.record)
    if changes:
        changed = edit_job(store, current, current.with_overrides(changes))
    else:
        changed = edit_file(session, current, lambda loaded: edit_job(store, current, loaded))
    job_id = current.record.id
    if not changed:
        say(f"nothing changed; {job_id} is as it was")
        return
    say(f"{job_id} has changed: {', '.join(changed)}; look at it: fusionq status {job_id}")
    _warn(session, job_id)
    session.ask_for_pass()


def _warn(session: Session, job_id: str) -> None:
    """Says, as when submitting, where no living worker could ever run it now."""
    from fusionq.queue.current_spec import read_current_spec
    from fusionq.queue.reasons import why_never
    from fusionq.queue.submitting import need_of_spec

    current = read_current_spec(session.store, job_id)
    if reason := why_never(need_of_spec(current.before), session.store.view()):
        say(f"{current.record.name} {reason}" if reason.startswith("needs") else reason)
