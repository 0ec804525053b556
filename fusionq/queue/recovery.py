"""Puts jobs back that Redis has lost, from what their workers wrote into the run folders."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from fusionq.errors import SpecError
from fusionq.queue import code_archives
from fusionq.queue.tree import File, digest_of
from fusionq.spec.check import check
from fusionq.spec.paths import RunPaths, code_cache
from fusionq.spec.reader import read_text
from fusionq.spec.record import JobRecord
from fusionq.spec.run_record import RunRecord
from fusionq.spec.secrets import masked_places
from fusionq.spec.settings import Settings
from fusionq.spec.states import Outcome, Status
from fusionq.store.bulk import chunks
from fusionq.store.store import Store

MARGIN_S = 5.0  # beyond a lease, until a copy that still ran has certainly stopped
CHUNK = 500
MOST_POINTS = 50_000

# What belonged to the data that is lost: places in it, other jobs and workers, files stored in it.
_GONE = (
    *("status", "outcome", "reason", "sequence", "token", "lane", "queued_at", "due_at", "stop_requested"),
    *("sweep", "after", "after_need", "after_failure", "model_from", "diff", "members"),
)
_GONE_OF_ACTIVE = ("worker", "host", "assigned_gpus", "assigned_at", "finished_at", "result", "progress")


@dataclass(frozen=True)
class LostJob:
    """A job with a run folder and no record. `outcome` is None where it is to go on, after `wait_s`."""

    id: str
    name: str
    folder: Path
    outcome: Outcome | None
    reason: str
    place: str  # the Redis under which it ran
    wait_s: float
    code: str
    spec: dict[str, Any]
    fields: dict[str, str]

    @property
    def state_word(self) -> str:
        """What it will be."""
        is_kept_back = self.wait_s > 0 or bool(self.fields.get("held"))
        return str(self.outcome or (Status.WAITING if is_kept_back else Status.QUEUED))


def find_lost(store: Store, settings: Settings) -> list[LostJob]:
    """Returns the jobs whose run folder is here and of which Redis knows nothing, the oldest first.

    They may have run under another Redis, which has them still; see `LostJob.place`.
    """
    found = []
    for names in chunks(_folders(settings.runs), CHUNK):
        known = store.jobs.known(names)
        found += [(name, record) for name, record in _records(settings.runs, names) if name not in known]
    found.sort(key=lambda pair: int(pair[1].fields.get("sequence", 0)))
    return [_lost(settings.runs / name, record) for name, record in found]


def put_back(store: Store, settings: Settings, job: LostJob) -> bool:
    """Puts a job back. False where it is there already. Raises StoreUnavailableError."""
    if job.code and not _restore_code(store, settings, job.code):
        job = _without_code(job)
    if not store.jobs.recover(
        job.id, job.spec, job.fields, outcome=job.outcome, reason=job.reason, wait_s=job.wait_s
    ):
        return False
    points = list(_points(job))
    if points:
        store.streams.append_points(job.id, points)
    return True


def _folders(runs: Path) -> Iterator[str]:
    with suppress(OSError), os.scandir(runs) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield entry.name


def _records(runs: Path, names: list[str]) -> Iterator[tuple[str, RunRecord]]:
    for name in names:
        if record := RunRecord.read(RunPaths.of_job(runs, name).record):
            yield name, record


def _lost(folder: Path, kept: RunRecord) -> LostJob:
    paths = RunPaths(folder)
    record = JobRecord.from_hash(folder.name, kept.fields)
    outcome, reason, more = _state(paths, record)
    spec, what_is_wrong = _spec(paths)
    if outcome is None and what_is_wrong:
        outcome, reason = Outcome.FAILED, f"its job file {what_is_wrong}; submit it again"
    dropped = _GONE if outcome else (*_GONE, *_GONE_OF_ACTIVE)
    fields = {key: value for key, value in kept.fields.items() if key not in dropped}
    fields |= {"attempt": str(_last_attempt(paths, record)), "run_dir": str(folder), **more}
    is_unsure = outcome is None and record.status is Status.RUNNING
    return LostJob(
        id=record.id,
        name=record.name,
        folder=folder,
        outcome=outcome,
        reason=reason,
        place=kept.place,
        wait_s=kept.lease_s + MARGIN_S if is_unsure else 0.0,
        code=record.code,
        spec=spec,
        fields=fields,
    )


def _state(paths: RunPaths, record: JobRecord) -> tuple[Outcome | None, str, dict[str, str]]:
    """Returns how it ended, None where it goes on, with the reason and the fields that say more."""
    if record.outcome is not None:
        return record.outcome, record.reason, {}
    if paths.result.is_file() and paths.result.stat().st_mtime >= paths.record.stat().st_mtime:
        with suppress(OSError, ValueError):
            result = json.dumps(json.loads(paths.result.read_text(encoding="utf-8")))
            ended_ms = round(paths.result.stat().st_mtime * 1000)
            return Outcome.SUCCEEDED, "", {"result": result, "finished_at": str(ended_ms)}
    if record.status is Status.RUNNING:
        return None, "Redis lost it while it ran; waits until no worker can still run it", {}
    return None, "Redis lost it; goes on from its last checkpoint", {}


def _spec(paths: RunPaths) -> tuple[dict[str, Any], str]:
    """Returns the job file as far as it can be read, and what keeps it from being run; '' for nothing."""
    try:
        source = read_text(paths.job_file.read_text(encoding="utf-8"), paths.job_file.name)
    except (OSError, SpecError, UnicodeDecodeError):
        return {}, "cannot be read"
    data = source.data if isinstance(source.data, dict) else {}
    if any(masked_places(data)):
        return data, "holds no values for its secrets"
    try:
        return check(source).to_data(), ""
    except SpecError:
        return data, "is not one that this version can run"


def _last_attempt(paths: RunPaths, record: JobRecord) -> int:
    """The last attempt that left anything: no later one may have its number."""
    numbers = [record.attempt]
    for checkpoint in paths.checkpoints.glob("attempt-*"):
        number = checkpoint.name.split("-")[1]
        numbers += [int(number)] if number.isdecimal() else []
    return max(numbers)


def _without_code(job: LostJob) -> LostJob:
    """Code that is stored nowhere any more cannot be run; what has ended needs none."""
    fields = {key: value for key, value in job.fields.items() if key != "code"}
    if job.outcome is not None:
        return replace(job, fields=fields)
    reason = "its code was lost with Redis; submit it again"
    return replace(job, fields=fields, outcome=Outcome.FAILED, reason=reason)


def _restore_code(store: Store, settings: Settings, digest: str) -> bool:
    """Stores the job's code again, from where a worker unpacked it. False where it is nowhere."""
    if store.blobs.exists(digest):
        return True
    files = _read_tree(code_cache(settings.home) / digest)
    if digest_of(files) == digest:
        code_archives.restore(store, settings.runs, digest, files, settings.umask)
        return True
    return code_archives.restore_large(store, settings.runs, digest)


def _read_tree(folder: Path) -> list[File]:
    """Returns what was unpacked, which is read-only; jobs leave other files beside it, such as byte code."""
    files = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            files.append(File(name, os.fsencode(os.readlink(path)), is_link=True))
        elif path.is_file() and not (mode := path.stat().st_mode) & stat.S_IWUSR:
            files.append(File(name, path.read_bytes(), is_executable=bool(mode & stat.S_IXUSR)))
    return files


def _points(job: LostJob) -> Iterator[dict[str, Any]]:
    """What the job measured, as its run folder has it."""
    with suppress(OSError), RunPaths(job.folder).metrics.open(encoding="utf-8") as lines:
        for line in islice(lines, MOST_POINTS):
            with suppress(ValueError):  # cut off by a crash
                yield {"attempt": int(job.fields["attempt"]), **json.loads(line)}
