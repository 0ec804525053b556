"""What records point to, stored once under its digest: users' code, and how it differed from its commit."""

from __future__ import annotations

from redis.client import NEVER_DECODE

from fusionq.errors import BlobGoneError
from fusionq.store import keys
from fusionq.store.connection import Client
from fusionq.store.scripts import Scripts

UNUSED_MS = 3_600_000  # what was put for a job that was never stored expires
BLOB_GONE = -1  # what the scripts of a submission answer


def is_stored(answer: int) -> bool:
    """What the answer of such a script means: False where the id is taken. Raises BlobGoneError."""
    if answer == BLOB_GONE:
        raise BlobGoneError("the job's code expired before the job was stored", hint="submit it again")
    return answer != 0


class Blobs:
    """A blob lives as long as a job or a sweep whose record points to it, and an hour before there is one."""

    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._redis = client
        self._scripts = scripts

    def put(self, digest: str, content: bytes) -> bool:
        """Store a content under its digest. False where it is stored already."""
        return bool(self._redis.set(keys.blob(digest), content, px=UNUSED_MS, nx=True))

    def exists(self, digest: str) -> bool:
        """Whether it is stored; one that nobody uses yet stays for another hour."""
        return self._scripts.run("hold_blob", digest, UNUSED_MS) == 1

    def size(self, digest: str) -> int:
        """How many bytes are stored; 0 too where there is nothing."""
        return self._redis.strlen(keys.blob(digest))

    def get(self, digest: str) -> bytes | None:
        """The content, None where it is not stored."""
        return self._redis.execute_command("GET", keys.blob(digest), **{NEVER_DECODE: True})

    def release(self, digest: str, user: str) -> bool:
        """A job or a sweep is gone. True where it was the last user, and the blob is gone with it."""
        return self._scripts.run("release_blob", digest, user) == 1
