"""What all sections of the job file have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A block of the job file: no unknown keys, no change, no guessing of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
