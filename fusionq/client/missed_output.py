"""Reads output that the log stream does not hold from the run folder, where that is visible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fusionq.errors import FusionqError
from fusionq.spec.output_log import DEFAULT_OUTPUT_LIMIT, OutputLog
from fusionq.spec.record import JobRecord
from fusionq.store.store import Store

PIECE_BYTES = 1_048_576


def read_missed(store: Store, record: JobRecord, start: int, end: int) -> Iterator[str]:
    """What was printed from one offset to the other, and a line in place of what was cut out.

    Raises OSError where this machine does not see the file.
    """
    with OutputLog(log_path(record), _limit_of(store, record.id)) as log:
        while start < end:
            at, data = log.read(start, min(PIECE_BYTES, end - start))
            if at > start:
                yield f"\n[{min(at, end) - start:,} bytes of output were cut out, see output_limit]\n"
            data = data[: max(0, end - at)]
            if not data:
                return
            yield data.decode(errors="replace")
            start = at + len(data)


def log_path(record: JobRecord) -> Path:
    """The file that holds the output, on the machine that ran the job. Raises NotFoundError before it did."""
    return record.paths.output_log


def _limit_of(store: Store, job_id: str) -> int:
    try:
        return store.jobs.spec(job_id).get("output_limit", DEFAULT_OUTPUT_LIMIT)
    except FusionqError:
        return DEFAULT_OUTPUT_LIMIT
