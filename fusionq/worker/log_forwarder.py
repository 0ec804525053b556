"""Forwards what a job prints from its output log to the log stream, in pieces that know their offsets."""

from __future__ import annotations

import codecs
import logging
import time
from collections import deque
from pathlib import Path

from fusionq.errors import StoreUnavailableError
from fusionq.spec.output_log import DEFAULT_OUTPUT_LIMIT, OutputLog
from fusionq.spec.private import PRIVATE
from fusionq.store.streams import LOG_BYTES, LOG_CHUNKS, Streams

log = logging.getLogger("fusionq.worker")

CHUNK_BYTES = 65_536
WAIT_AFTER_OUTAGE_S = 1.0
TURN_S = 0.2  # the supervisor has other things to do, such as stopping the job
FINISH_S = 10.0  # how long the end of an attempt may wait for its output
LAST_BYTES = 4 * CHUNK_BYTES  # sent in any case, however slow Redis is


class LogPump:
    """Follows one log file for one attempt. The file keeps what it can, so an outage only delays.

    Where the job prints faster than Redis takes it, what the stream would not keep anyway is left out, which
    readers see by the offsets.
    """

    def __init__(
        self,
        path: Path,
        streams: Streams,
        job_id: str,
        attempt: int,
        umask: int = PRIVATE,
        *,
        limit: int = DEFAULT_OUTPUT_LIMIT,
    ) -> None:
        path.touch(mode=0o666 & ~umask, exist_ok=True)
        self._log = OutputLog(path, limit)
        self._offset: int | None = None  # how far the stream got; asked once Redis answers
        self._streams = streams
        self._job = (job_id, attempt)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._retry_at = 0.0
        self._unsure = 0  # how many bytes were sent without an answer
        self._sizes: deque[int] = deque()  # of the pieces that the stream is to keep
        self._kept = 0  # bytes, of all of these
        self._is_full = False
        self._has_said_why = False

    def pump(self) -> None:
        """Send some of what is new. During an outage it does nothing but wait for its time to try again."""
        self._keep_short()
        if time.monotonic() < self._retry_at:
            return
        try:
            self._send(TURN_S)
        except StoreUnavailableError:
            self._retry_at = time.monotonic() + WAIT_AFTER_OUTAGE_S

    def finish(self) -> None:
        """Send the rest; where that takes too long, only the end of it. Raises StoreUnavailableError."""
        self._keep_short()
        if not self._send(FINISH_S):
            self._skip_to(self._log.end - LAST_BYTES)
            self._send(FINISH_S)

    def close(self) -> None:
        self._log.close()

    def _keep_short(self) -> None:
        try:
            self._log.shorten()
        except OSError as error:
            if not self._has_said_why:
                log.warning("job %s: its output cannot be kept below its limit: %s", self._job[0], error)
            self._has_said_why = True

    def _send(self, limit_s: float) -> bool:
        """Send pieces for so long at most. Returns whether nothing is left."""
        until = time.monotonic() + limit_s
        if self._offset is None:
            # An attempt that was killed may have printed more than was sent.
            self._offset = min(self._streams.log_end(self._job[0]), self._log.end)
        while self._send_next():
            if time.monotonic() >= until:
                return False
        return True

    def _send_next(self) -> bool:
        """Send one piece. Returns False where there is none."""
        assert self._offset is not None
        if (oldest := self._log.end - LOG_BYTES) > self._offset:
            self._skip_to(oldest)
        # What may have arrived is sent again as it was: readers know a piece by its offsets.
        start, data = self._log.read(self._offset, self._unsure or CHUNK_BYTES)
        if start > self._offset:
            self._skip_to(start)
        if not data:
            return False
        before = self._decoder.getstate()
        text = self._decoder.decode(data)
        try:
            end, keep = start + len(data), self._pieces_to_keep(len(data))
            self._streams.append_log(*self._job, start, end, text, keep=keep)
        except StoreUnavailableError:
            self._decoder.setstate(before)
            self._unsure = len(data)
            raise
        self._offset = end
        self._unsure = 0
        self._sizes.append(len(data))
        self._kept += len(data)
        return True

    def _skip_to(self, offset: int) -> None:
        """Leave out what comes before."""
        if offset > (self._offset or 0):
            self._offset = offset
            self._unsure = 0
            self._decoder.reset()

    def _pieces_to_keep(self, size: int) -> int:
        """How many the stream may hold together with one more of this size: a loud job fills no Redis."""
        while self._kept + size > LOG_BYTES or len(self._sizes) >= LOG_CHUNKS:
            self._is_full = self._is_full or self._kept + size > LOG_BYTES
            self._kept -= self._sizes.popleft()
        return len(self._sizes) + 1 if self._is_full else LOG_CHUNKS
