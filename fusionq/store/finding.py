"""What a person means: an id, a prefix of one, a name, or 'last'; a job, a sweep, or a trial of one."""

from __future__ import annotations

from fusionq.errors import NotFoundError, UsageError
from fusionq.spec.job_name import composed
from fusionq.store import keys
from fusionq.store.connection import Client

LAST = "last"


def find(redis: Client, reference: str) -> str:
    """The id of the job or the sweep that `reference` means. Raises NotFoundError or UsageError."""
    if not reference:
        raise UsageError("a job is named by its id, a prefix of it, its name, or 'last'")
    if reference == LAST:
        return _last(redis)
    if _exists(redis, reference):
        return reference
    named = redis.hget(keys.NAMES, composed(reference))
    if named is not None:
        return named
    matches = redis.zrangebylex(keys.JOB_IDS, f"[{reference}", f"[{reference}\xff", 0, 6)
    if len(matches) > 1:
        shown = ", ".join(matches[:5]) + (", …" if len(matches) > 5 else "")
        raise UsageError(
            f"{reference!r} is the beginning of several jobs: {shown}", hint="write one more letter"
        )
    return matches[0] if matches else _trial(redis, reference)


def find_job(redis: Client, reference: str) -> str:
    """The same where it must be a job: a sweep is refused, and its trials are pointed to."""
    found = find(redis, reference)
    total = redis.hget(keys.sweep(found), "total")
    if total is not None:
        raise UsageError(f"{found} is a sweep of {total} trials", hint=f"name one: {found}-1")
    return found


def _last(redis: Client) -> str:
    newest = redis.zrevrange(keys.ROWS, 0, 0)
    if not newest:
        raise NotFoundError(
            "no job was ever submitted", hint="write one: fusionq init; submit it: fusionq submit job.yaml"
        )
    return newest[0]


def _trial(redis: Client, reference: str) -> str:
    """`abc-3`: the third trial of the sweep that `abc` means."""
    head, _, index = reference.rpartition("-")
    if not head or not (index.isascii() and index.isdecimal()):
        raise unknown(reference)
    try:
        sweep = find(redis, head)
    except NotFoundError:
        raise unknown(reference) from None
    total = redis.hget(keys.sweep(sweep), "total")
    if total is None:
        raise unknown(reference)
    if not 1 <= int(index) <= int(total):
        raise NotFoundError(
            f"the sweep {sweep} has no trial {int(index)}",
            hint=f"its trials are {sweep}-1 to {sweep}-{total}",
        )
    return f"{sweep}-{int(index)}"


def _exists(redis: Client, reference: str) -> bool:
    # A trial that is being submitted has no status yet, and does not exist.
    return bool(redis.hexists(keys.job(reference), "status") or redis.exists(keys.sweep(reference)))


def unknown(reference: str) -> NotFoundError:
    return NotFoundError(f"no such job: {reference!r}", hint="`fusionq status` lists the jobs")


def kept_by(job_id: str, parent: str) -> UsageError:
    return UsageError(
        f"{job_id} comes after {parent}, which did not succeed",
        hint=f"retry that first: fusionq retry {parent}",
    )
