"""What a job's environment.json tells that its process does not know itself."""

from __future__ import annotations

import gzip
import zlib
from functools import cache
from importlib import metadata
from typing import Any

from fusionq.spec.record import JobRecord
from fusionq.store.store import Store


def provenance_of(store: Store, record: JobRecord) -> dict[str, Any]:
    """The code that the job runs, how git knew it, what is installed here, and what a sweep changed."""
    diff = _read(store.blobs.get(record.diff)) if record.diff else ""
    git = {**record.provenance, "diff": diff} if record.provenance else None
    code = record.code or f"not stored; the files in {record.workdir} as they were at the start"
    return {"code": code, "git": git, "packages": _installed(), "params": record.params}


def _read(stored: bytes | None) -> str:
    try:
        return gzip.decompress(stored or b"").decode()
    except (OSError, EOFError, zlib.error, ValueError):
        return ""  # a job does not fail for want of it


@cache
def _installed() -> dict[str, str]:
    """Looked up once: it takes a tenth of a second, and a worker that lives has what it has imported."""
    found = {each.metadata["Name"]: each.version for each in metadata.distributions()}
    return dict(sorted((name, version) for name, version in found.items() if name))
