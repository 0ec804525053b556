"""Prints documents of JSON item by item, so that a list of any length needs no memory."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import click

from fusionq.client.json_schema import VERSION


def print_json(key: str, items: Iterable[Mapping[str, Any]], **head: Any) -> None:
    """Prints `{"version": …, head, key: [items]}`, an item a line."""
    opening = json.dumps({"version": VERSION, **head}, ensure_ascii=False)[:-1]
    click.echo(f"{opening}, {json.dumps(key)}: [", nl=False)
    is_first = True
    for item in items:
        click.echo("\n" if is_first else ",\n", nl=False)
        click.echo(_text(item), nl=False)
        is_first = False
    click.echo("]}" if is_first else "\n]}")


def _text(item: Mapping[str, Any]) -> str:
    """Returns JSON in which null stands for every number that JSON has no word for."""
    try:
        return json.dumps(item, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(item), ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
