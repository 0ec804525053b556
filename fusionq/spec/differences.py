"""In what several job files differ: the keys that people changed between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_NOTHING = object()
_SAYS_NOTHING = ("name", "tags")  # every job has its own, and they change no result


def differences(specs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each spec its values, by dotted path, of the keys in which not all are equal."""
    flat = [dict(_flatten(spec)) for spec in specs]
    keys = [key for key in dict.fromkeys(key for one in flat for key in one) if _differs(key, flat)]
    return [{key: one.get(key) for key in keys} for one in flat]


def _differs(key: str, flat: Sequence[Mapping[str, Any]]) -> bool:
    if key.split(".")[0] in _SAYS_NOTHING:
        return False
    first = flat[0].get(key, _NOTHING)
    return any(one.get(key, _NOTHING) != first for one in flat)


def _flatten(value: Any, above: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        pairs = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list) and value:
        pairs = [(str(i), item) for i, item in enumerate(value)]
    else:
        return [(above, value)]
    return [found for key, item in pairs for found in _flatten(item, f"{above}.{key}" if above else key)]
