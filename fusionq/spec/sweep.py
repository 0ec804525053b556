"""A sweep: one job file, many jobs. Which parameters change, how their values are chosen, and the trials."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from fusionq.spec.section import BY_FORM, IS_BLOCK, IS_OTHER, Section

SWEEP = "sweep"
PARAMS = "params"
MOST_TRIALS = 10_000

Bounds = Annotated[list[float], Field(min_length=2, max_length=2)]
WholeBounds = Annotated[list[int], Field(min_length=2, max_length=2)]


class Choice(Section):
    """How the values of one parameter are chosen; exactly one key."""

    choice: list[Any] | None = Field(None, min_length=1, description="One of these values.")
    uniform: Bounds | None = Field(None, description="A number between two.")
    loguniform: Bounds | None = Field(None, description="A number between two, even over magnitudes.")
    int: WholeBounds | None = Field(
        None, description="A whole number from the first to the second, both included."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Choice:
        given = [key for key in type(self).model_fields if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError("say one of choice, uniform, loguniform and int")
        bounds = getattr(self, given[0])
        if given[0] == "choice":
            return self
        if not all(math.isfinite(bound) for bound in bounds) or bounds[0] > bounds[1]:
            raise ValueError(f"{given[0]} goes from the smaller to the larger number")
        if given[0] == "loguniform" and bounds[0] <= 0:
            raise ValueError("loguniform takes numbers above 0")
        return self


Values = Annotated[list[Any], Field(min_length=1)]
ValuesOrChoice = Annotated[Annotated[Choice, IS_BLOCK] | Annotated[Values, IS_OTHER], BY_FORM]
Params = Annotated[dict[str, ValuesOrChoice], Field(min_length=1)]
Points = Annotated[list[Annotated[dict[str, Any], Field(min_length=1)]], Field(min_length=1)]


def _few(count: int) -> int:
    if count > MOST_TRIALS:
        raise ValueError(f"a sweep has {MOST_TRIALS:,} trials at most")
    return count


class SweepSection(Section):
    method: Literal["grid", "random", "list"] = Field(
        "grid", description="Every combination of the values, random draws, or the trials as they are listed."
    )
    params: Annotated[Annotated[Params, IS_BLOCK] | Annotated[Points, IS_OTHER], BY_FORM] = Field(
        description="For each key (optimizer.lr) its values [1e-3, 1e-4], or {choice|uniform|loguniform|int: "
        "[…]}; for the method list a list of trials, each a block of keys."
    )
    trials: Annotated[int, Field(ge=1), AfterValidator(_few)] | None = Field(
        None, description="How many trials the method random draws."
    )
    seed: int = Field(0, ge=0, description="Decides the random draws.")
    max_parallel: int | None = Field(None, ge=1, description="How many of its trials may run at once.")

    @model_validator(mode="after")
    def _fits_its_method(self) -> SweepSection:
        is_list = isinstance(self.params, list)
        if (self.method == "list") != is_list:
            raise ValueError(
                "the method list takes a list of trials under params, grid and random take a block of keys"
            )
        if (self.method == "random") != (self.trials is not None):
            raise ValueError("trials says how many to draw, and goes with the method random alone")
        if self.method == "grid":
            self._check_grid()
        return self

    def _check_grid(self) -> None:
        assert isinstance(self.params, dict)
        for key, values in self.params.items():
            if isinstance(values, Choice) and values.choice is None:
                raise ValueError(f"a grid takes lists of values, and {key} has none; take the method random")
