"""Types of options whose errors read well."""

from __future__ import annotations

import click


class Integer(click.IntRange):
    """A whole number within limits; click calls it an 'integer range' in its errors."""

    name = "integer"
