"""What becomes of the targets of a text, and what is wrong with them."""

from __future__ import annotations

from typing import Any

from fusionq.spec.reader import read_text
from fusionq.spec.targets import TargetResolver


def resolved(text: str) -> Any:
    resolver = TargetResolver(read_text(text, "job.yaml", {}))
    data = resolver.resolve_all()
    assert resolver.problems == []
    return data


def mistakes(text: str) -> list[str]:
    resolver = TargetResolver(read_text(text, "job.yaml", {}))
    resolver.resolve_all()
    return [str(problem) for problem in resolver.problems]
