"""Carries what a job prints from its log file into the log stream, in pieces that know their offsets."""

from __future__ import annotations

import codecs
import time
from collections import deque
from pathlib import Path

from fusionq.errors import StoreUnavailableError
from fusionq.spec.private import PRIVATE
from fusionq.store.streams import LOG_BYTES, LOG_CHUNKS, Streams

CHUNK_BYTES = 65_536
WAIT_AFTER_OUTAGE_S = 1.0


class LogPump:
    """Follows one log file for one attempt. The file keeps everything, so an outage only delays."""

    def __init__(self, path: Path, streams: Streams, job_id: str, attempt: int, umask: int = PRIVATE) -> None:
        path.touch(mode=0o666 & ~umask, exist_ok=True)
        self._file = path.open("rb")
        self._offset: int | None = None  # how far the stream got; asked once Redis answers
        self._streams = streams
        self._job = (job_id, attempt)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._retry_at = 0.0
        self._unsure = 0  # how many bytes were sent without an answer
        self._sizes: deque[int] = deque()  # of the pieces that the stream is to keep
        self._kept = 0  # bytes, of all of these
        self._is_full = False

    def pump(self) -> None:
        """Send what is new. During an outage it does nothing but wait for its time to try again."""
        if time.monotonic() < self._retry_at:
            return
        try:
            self._send_all()
        except StoreUnavailableError:
            self._retry_at = time.monotonic() + WAIT_AFTER_OUTAGE_S

    def finish(self) -> None:
        """Send the rest. Raises StoreUnavailableError."""
        self._send_all()

    def close(self) -> None:
        self._file.close()

    def _send_all(self) -> None:
        if self._offset is None:
            # An attempt that was killed may have printed more than was sent.
            self._offset = min(self._streams.log_end(self._job[0]), self._file.seek(0, 2))
        while True:
            self._file.seek(self._offset)
            # What may have arrived is sent again as it was: readers know a piece by its offsets.
            data = self._file.read(self._unsure or CHUNK_BYTES)
            if not data:
                return
            before = self._decoder.getstate()
            text = self._decoder.decode(data)
            try:
                end, keep = self._offset + len(data), self._pieces_to_keep(len(data))
                self._streams.append_log(*self._job, self._offset, end, text, keep=keep)
            except StoreUnavailableError:
                self._decoder.setstate(before)
                self._unsure = len(data)
                raise
            self._offset += len(data)
            self._unsure = 0
            self._sizes.append(len(data))
            self._kept += len(data)

    def _pieces_to_keep(self, size: int) -> int:
        """How many the stream may hold together with one more of this size: a loud job fills no Redis."""
        while self._kept + size > LOG_BYTES or len(self._sizes) >= LOG_CHUNKS:
            self._is_full = self._is_full or self._kept + size > LOG_BYTES
            self._kept -= self._sizes.popleft()
        return len(self._sizes) + 1 if self._is_full else LOG_CHUNKS
