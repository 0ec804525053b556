"""What a trial has of its own, in words. Apart from the sweep's model, so that showing it loads nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MOST_SHOWN = 40  # characters of a value


def params_text(params: Mapping[str, Any]) -> str:
    """All of it, as overrides are written."""
    return "  ".join(f"{key}={value_text(value)}" for key, value in params.items())


def value_text(value: Any) -> str:
    """A value for people: short, and a number in its usual form."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
