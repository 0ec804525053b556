"""What a job comes after: a list of jobs, or a block that says more about them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fusionq.spec.section import BY_FORM, IS_BLOCK, IS_OTHER, Section
from fusionq.spec.text_values import AS_LIST, AS_TEXT

Reference = Annotated[str, AS_TEXT, Field(min_length=1, max_length=100)]
References = Annotated[list[Reference], AS_LIST]


class AfterSection(Section):
    jobs: References = Field(min_length=1, description="The jobs: ids, names or last.")
    need: Literal["all", "any"] = Field(
        "all", description="Whether all of them must succeed before it starts, or any one."
    )
    on_failure: Literal["fail", "cancel", "run"] = Field(
        "fail",
        description="What becomes of it when they do not: it fails, is cancelled, or runs all the same once "
        "they are over.",
    )


After = Annotated[Annotated[AfterSection, IS_BLOCK] | Annotated[References, IS_OTHER], BY_FORM]


def section_of(after: AfterSection | list[str]) -> AfterSection | None:
    """The block that is meant; None where the job comes after no other."""
    if isinstance(after, AfterSection):
        return after
    return AfterSection(jobs=after) if after else None


def jobs_of(after: AfterSection | list[str]) -> list[str]:
    return after.jobs if isinstance(after, AfterSection) else after


def with_jobs(after: AfterSection | list[str], jobs: list[str]) -> AfterSection | list[str]:
    """The same of other jobs."""
    if isinstance(after, AfterSection) and jobs:
        return after.model_copy(update={"jobs": jobs})
    return jobs
