"""What `clean` shows, and what it removes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fusionq.cli.session import Session
from fusionq.cli.words import coloured, count_of, say
from fusionq.queue import code_archives, retention, run_folders
from fusionq.spec.paths import RunPaths
from fusionq.spec.record import JobRecord
from fusionq.spec.units import format_bytes, format_duration
from fusionq.store.bulk import chunks
from fusionq.store.removal import WHY_IT_STAYS, Answer

SHOWN = 20  # rows; what is more is counted


@dataclass(frozen=True)
class Found:
    """A job that may go, and its run folder where this machine sees it."""

    record: JobRecord
    folder: Path | None
    size: int


def look(session: Session, job_ids: Sequence[str], larger_than: int | None) -> list[Found]:
    """The jobs with the sizes of their run folders; those alone that are larger, where that is asked for."""
    found = []
    for ids in chunks(job_ids, 500):
        for record in session.store.jobs.get_many(ids):
            folder = run_folders.folder_here(record)
            size = run_folders.size_of(folder) if folder else 0
            if size >= (larger_than or 0):
                found.append(Found(record, folder, size))
    return found


def show(session: Session, found: Sequence[Found], *, keeps_files: bool) -> None:
    """What would go, and what would stay and why. Removes nothing."""
    answers = session.store.removal.remove([one.record.id for one in found], is_trial_run=True)
    going = _going(found, answers)
    _print_jobs(going)
    in_redis = session.store.removal.bytes_of(one.record.id for one in going)
    _say_totals("would go", going, in_redis, keeps_files)
    _say_rest(found, answers, keeps_files)
    if going:
        say("nothing was removed; add -y to remove them")


def remove(session: Session, found: Sequence[Found], *, keeps_files: bool) -> None:
    """Remove them, each record before its folder: what is interrupted leaves an orphan, never half a job."""
    answers: list[Answer] = []
    in_redis, stuck = 0, []
    for start in range(0, len(found), retention.BATCH):
        batch = found[start : start + retention.BATCH]
        in_redis += session.store.removal.bytes_of(one.record.id for one in batch)
        said = retention.remove(session.store, session.settings.runs, [one.record for one in batch])
        answers += said
        for one in [] if keeps_files else _going(batch, said):
            if one.folder and not run_folders.remove(one.folder):
                stuck.append(one.folder)
    _say_totals("removed", _going(found, answers), in_redis, keeps_files)
    _say_rest(found, answers, keeps_files)
    _say_some(stuck, "could not be removed as a whole")


def clean_orphans(session: Session, older_than: float, larger_than: int, *, is_real: bool) -> None:
    """Run folders without a job, and stored code without a user."""
    runs = session.settings.runs
    folders = [
        (folder, run_folders.size_of(folder))
        for folder in run_folders.orphans(session.store, runs, older_s=older_than)
    ]
    folders = [(folder, size) for folder, size in folders if size >= larger_than]
    folders += [] if larger_than else code_archives.orphans(session.store, runs, older_s=older_than)
    for folder, size in folders[:SHOWN]:
        say(f"  {format_bytes(size):>9}  {folder}")
    if len(folders) > SHOWN:
        say(f"  … and {len(folders) - SHOWN:,} more")
    room = format_bytes(sum(size for _, size in folders))
    say(f"{count_of(len(folders), 'folder')} in {runs} that no job of this Redis has, {room}")
    if not is_real:
        if lost := sum(RunPaths(folder).record.is_file() for folder, _ in folders):
            say(f"{count_of(lost, 'job')} of them can be put back where Redis lost its data: fusionq recover")
        say("nothing was removed; add -y to remove them" if folders else "there is nothing to remove")
        return
    _say_some([folder for folder, _ in folders if not run_folders.remove(folder)], "could not be removed")


def _going(found: Sequence[Found], answers: Sequence[Answer]) -> list[Found]:
    going = {answer.job_id for answer in answers if answer.is_removed}
    return [one for one in found if one.record.id in going]


def _print_jobs(found: Sequence[Found]) -> None:
    from fusionq.cli.tables import print_table

    rows = [
        [
            one.record.id,
            one.record.name,
            coloured(one.record.state_word),
            format_duration(max(0.0, time.time() - one.record.finished_at)),
            format_bytes(one.size) if one.folder else "",
            str(one.folder or run_folders.place_elsewhere(one.record)),
        ]
        for one in found[:SHOWN]
    ]
    if rows:
        print_table(["ID", "NAME", "STATUS", "ENDED", "SIZE", "FOLDER"], rows)
    if len(found) > SHOWN:
        say(f"… and {len(found) - SHOWN:,} more")


def _say_totals(deed: str, found: Sequence[Found], in_redis: int, keeps_files: bool) -> None:
    on_disk = "" if keeps_files else f"{format_bytes(sum(one.size for one in found))} in run folders, "
    say(f"{count_of(len(found), 'job')} {deed}: {on_disk}{format_bytes(in_redis)} in Redis")


def _say_rest(found: Sequence[Found], answers: Sequence[Answer], keeps_files: bool) -> None:
    """What stays, and why."""
    for word, count in Counter(answer.word for answer in answers if not answer.is_removed).items():
        say(f"{count_of(count, 'job')} stay{'s' if count == 1 else ''}: {WHY_IT_STAYS[word]}")
    if not keeps_files:
        gone = [one.record for one in _going(found, answers) if not one.folder]
        elsewhere = [place for record in gone if (place := run_folders.place_elsewhere(record))]
        _say_some(elsewhere, "not on this machine; on its own: fusionq clean --orphans")


def _say_some(places: Sequence[Path | str], what: str) -> None:
    if places:
        shown = ", ".join(map(str, places[:3])) + (", …" if len(places) > 3 else "")
        say(f"{count_of(len(places), 'run folder')} {what} ({shown})")
