"""What jobs say: the log stream, the metric stream, and the stream of all changes of state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusionq.spec.events import EpochEnd
from fusionq.spec.script_reasons import reason_text
from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from fusionq.store.connection import LONGEST_BLOCK_S, Client

LOG_CHUNKS = 5_000  # a stream keeps about this many; the run folder keeps everything
LOG_BYTES = 16_000_000  # and about so much text of an attempt
METRIC_POINTS = 50_000
PAGE = 5_000  # metric points that are read at once

BEGINNING = "0-0"
END = "$"


@dataclass(frozen=True)
class LogChunk:
    """A piece of a job's output. `start` and `end` are byte offsets in its log file."""

    cursor: str
    attempt: int
    start: int
    end: int
    text: str

    @property
    def at(self) -> float:
        """When it came, in seconds since 1970 by Redis's clock."""
        return int(self.cursor.partition("-")[0]) / 1000


@dataclass(frozen=True)
class Change:
    """A job that came into another state."""

    job: str
    status: Status
    outcome: Outcome | None
    reason: str


@dataclass(frozen=True)
class News:
    """What arrived since the last look, and the cursors to look again from."""

    chunks: list[LogChunk]
    points: list[dict[str, Any]]
    changed: frozenset[str]  # the jobs whose state did, whichever they are
    cursors: dict[str, str]


class Streams:
    def __init__(self, client: Client) -> None:
        self._redis = client

    def append_log(
        self, job_id: str, attempt: int, start: int, end: int, text: str, *, keep: int = LOG_CHUNKS
    ) -> None:
        """Add a piece, and let go of all but about the last `keep`."""
        fields = {"attempt": attempt, "start": start, "end": end, "text": text}
        self._redis.xadd(keys.log(job_id), fields, maxlen=keep, approximate=keep == LOG_CHUNKS)

    def log_end(self, job_id: str) -> int:
        """The byte offset up to which the stream holds a job's output."""
        newest = self._redis.xrevrange(keys.log(job_id), count=1)
        return int(newest[0][1]["end"]) if newest else 0

    def append_points(self, job_id: str, points: Sequence[Mapping[str, Any]]) -> None:
        """Add metric points in one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        for point in points:
            fields = {"point": json.dumps(point)}
            pipe.xadd(keys.metrics(job_id), fields, maxlen=METRIC_POINTS, approximate=True)
        pipe.execute()

    def log(self, job_id: str, after: str = BEGINNING) -> Iterator[LogChunk]:
        """All chunks after the cursor, in order."""
        while batch := self._redis.xrange(keys.log(job_id), f"({after}", count=500):
            for cursor, fields in batch:
                yield _chunk(cursor, fields)
            after = batch[-1][0]

    def await_log(self, job_id: str, after: str, seen: str, block_s: float = LONGEST_BLOCK_S) -> None:
        """Wait for output behind the cursor `after`, or for a change of state of any job behind `seen`."""
        self._redis.xread({keys.log(job_id): after, keys.EVENTS: seen}, count=1, block=round(block_s * 1000))

    def points(self, job_id: str) -> list[dict[str, Any]]:
        """All metric points that the stream holds, in order."""
        return [json.loads(text) for text in self._point_texts(job_id)]

    def epochs(self, job_id: str) -> Iterator[dict[str, Any]]:
        """Yields the points that end an epoch. A stream of a million points holds few of them."""
        sign = json.dumps(EpochEnd.kind)
        return (json.loads(text) for text in self._point_texts(job_id) if sign in text)

    def _point_texts(self, job_id: str) -> Iterator[str]:
        after = "-"
        while entries := self._redis.xrange(keys.metrics(job_id), min=after, count=PAGE):
            yield from (fields["point"] for _, fields in entries)
            after = f"({entries[-1][0]}"

    def last_event(self) -> str:
        """The cursor behind the newest change of state."""
        newest = self._redis.xrevrange(keys.EVENTS, count=1)
        return newest[0][0] if newest else BEGINNING

    def changes(self, after: str, block_s: float = LONGEST_BLOCK_S) -> tuple[str, list[Change]]:
        """Wait for changes of state behind a cursor. Returns the next cursor, and the changes in order."""
        answer = self._redis.xread({keys.EVENTS: after}, count=500, block=max(1, round(block_s * 1000)))
        entries = answer[0][1] if answer else []
        return entries[-1][0] if entries else after, [_change(fields) for _, fields in entries]

    def follow(self, job_id: str, cursors: Mapping[str, str], block_s: float = LONGEST_BLOCK_S) -> News:
        """Wait for output and points of one job, '' for none, and for changes of any.

        `cursors` is {} at first, then the last answer's.
        """
        own = (keys.log(job_id), keys.metrics(job_id)) if job_id else ()
        at = {**dict.fromkeys(own, BEGINNING), keys.EVENTS: "", **cursors}
        at[keys.EVENTS] = at[keys.EVENTS] or self.last_event()
        block_ms = max(1, round(block_s * 1000))  # 0 would mean for ever
        answer = self._redis.xread(at, count=500, block=block_ms)
        chunks: list[LogChunk] = []
        points: list[dict[str, Any]] = []
        changed: frozenset[str] = frozenset()
        for stream, entries in answer or ():
            at[stream] = entries[-1][0]
            if stream == keys.log(job_id):
                chunks = [_chunk(cursor, fields) for cursor, fields in entries]
            elif stream == keys.metrics(job_id):
                points = [json.loads(fields["point"]) for _, fields in entries]
            else:
                changed = frozenset(fields["job"] for _, fields in entries)
        return News(chunks, points, changed, at)

    def recent_log(self, job_id: str, num_chunks: int) -> list[LogChunk]:
        """The last pieces of a job's output, in order."""
        return [_chunk(cursor, fields) for cursor, fields in self._newest(keys.log(job_id), num_chunks)]

    def _newest(self, stream: str, count: int) -> list[tuple[str, dict[str, str]]]:
        return self._redis.xrevrange(stream, count=count)[::-1]

    def recent(self, job_id: str, num_chunks: int) -> News:
        """All points of a job and the last pieces of its output, with the cursors to follow it from there."""
        log = self._newest(keys.log(job_id), num_chunks)
        points = self._redis.xrange(keys.metrics(job_id))
        told = [(keys.log(job_id), log), (keys.metrics(job_id), points)]
        return News(
            [_chunk(cursor, fields) for cursor, fields in log],
            [json.loads(fields["point"]) for _, fields in points],
            frozenset(),
            {stream: entries[-1][0] if entries else BEGINNING for stream, entries in told},
        )


def _change(fields: Mapping[str, str]) -> Change:
    outcome = Outcome(fields["outcome"]) if fields.get("outcome") else None
    return Change(fields["job"], Status(fields["status"]), outcome, reason_text(fields["reason"]))


def _chunk(cursor: str, fields: Mapping[str, str]) -> LogChunk:
    return LogChunk(cursor, int(fields["attempt"]), int(fields["start"]), int(fields["end"]), fields["text"])
