"""What a trial has of its own, in words. Apart from the sweep's model, so that showing it loads nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

MOST_SHOWN = 40  # characters of a value
MOST_OF_NAME = 8  # of a key, before its initials stand for it


def params_text(params: Mapping[str, Any]) -> str:
    """All of it, as overrides are written."""
    return "  ".join(f"{key}={value_text(value)}" for key, value in params.items())


def short_params_text(params: Mapping[str, Any]) -> str:
    """The same with short names: `lr=0.01 bs=32` for optimizer.lr and data.batch_size."""
    names = short_names(params)
    return " ".join(f"{names[key]}={value_text(value)}" for key, value in params.items())


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """Returns the last part of each key, of a long one its initials; the whole key where that is unclear."""
    keys = list(keys)
    lasts = {key: key.rpartition(".")[2] for key in keys}
    shorts = {key: _initials(last) for key, last in lasts.items()}
    for key in keys:
        if list(shorts.values()).count(shorts[key]) > 1:
            return lasts if len(set(lasts.values())) == len(keys) else dict(zip(keys, keys, strict=True))
    return shorts


def _initials(name: str) -> str:
    parts = [part for part in name.split("_") if part]
    return "".join(part[0] for part in parts) if len(parts) > 1 and len(name) > MOST_OF_NAME else name


def value_text(value: Any) -> str:
    """A value for people: short, and a number in its usual form."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
