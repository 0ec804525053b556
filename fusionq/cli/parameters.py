"""Types of options and arguments whose errors read well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from fusionq.errors import UsageError
from fusionq.spec.units import parse_bytes, parse_duration


class Integer(click.IntRange):
    """A whole number within limits; click calls it an 'integer range' in its errors."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number", param, ctx)
        if self.min is not None and number < self.min:
            self.fail(f"{number} is less than {self.min}", param, ctx)
        if self.max is not None and number > self.max:
            self.fail(f"{number} is more than {self.max}", param, ctx)
        return number


class _Quantity(click.ParamType):
    """What is written with a unit, as in a job file. Raises UsageError, in one line, for anything else."""

    parse: Callable[[str], float]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return type(self).parse(value)
        except ValueError as error:
            where = f"{param.opts[0]}: " if isinstance(param, click.Option) else ""
            raise UsageError(f"{where}{error}") from None


class Duration(_Quantity):
    """Seconds, from such as 10m."""

    name = "duration"
    parse = staticmethod(parse_duration)


class Size(_Quantity):
    """Bytes, from such as 4GB."""

    name = "size"
    parse = staticmethod(parse_bytes)
