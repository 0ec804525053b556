"""What all sections of the job file have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Discriminator, Tag


class Section(BaseModel):
    """A block of the job file: no unknown keys, no change, no guessing of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


BLOCK, OTHER = "<block>", "<other>"
"""Names of the branches of a union; they stand in the paths of pydantic's errors and nowhere else."""

IS_BLOCK = Tag(BLOCK)
IS_OTHER = Tag(OTHER)


def _branch(value: Any) -> str:
    return BLOCK if isinstance(value, dict | BaseModel) else OTHER


BY_FORM = Discriminator(_branch)
"""Tells a block from anything else, so that a wrong value hears of its own branch alone."""
