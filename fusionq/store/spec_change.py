"""Another spec for a job that is in Redis already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fusionq.store.packing import pack


@dataclass(frozen=True)
class SpecChange:
    """The new `spec`, and the `fields` of the record that differ with it.

    `read` is the packed spec that it was made from: where the job has another by now, nothing is changed.
    """

    read: bytes
    spec: Mapping[str, Any]
    fields: Mapping[str, str | int] = field(default_factory=dict)

    def to_args(self) -> list[str | bytes | int]:
        """Returns what the scripts take: the spec that was read, the new one, then field, value, …"""
        return [self.read, pack(self.spec), *(part for pair in self.fields.items() for part in pair)]
