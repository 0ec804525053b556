"""The record of a job as its run folder keeps it, from which the job can be put back where Redis lost it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from fusionq.spec.private import PRIVATE, open_file

FORMAT = 1


@dataclass(frozen=True)
class RunRecord:
    """`fields` are those of the record in Redis, which was at `place`.

    lease_s: how long a worker may hold the job without a word to Redis.
    """

    fields: Mapping[str, str]
    lease_s: float
    place: str

    @classmethod
    def read(cls, path: Path) -> RunRecord | None:
        """Returns what a worker wrote; None where there is nothing, or nothing that can be read."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["format"] != FORMAT or "status" not in data["fields"]:
                return None
            fields = {str(key): str(value) for key, value in data["fields"].items()}
            return cls(fields, float(data["lease_s"]), str(data["redis"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, path: Path, umask: int = PRIVATE) -> None:
        """Writes it whole or not at all. Raises OSError."""
        data = {"format": FORMAT, "redis": self.place, "lease_s": self.lease_s, "fields": dict(self.fields)}
        draft = path.with_suffix(".new")
        with open_file(draft, umask) as handle:
            handle.write(json.dumps(data, indent=1).encode())
        os.replace(draft, path)

    def with_fields(self, **fields: str | int) -> RunRecord:
        """Returns the same record with some fields changed."""
        changed = {key: str(value) for key, value in fields.items()}
        return replace(self, fields={**self.fields, **changed})
