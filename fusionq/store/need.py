"""What a job needs of a worker: all that the planner asks of it. Jobs of one need stand in one lane."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

SUBMISSIONS = 10_000_000_000
"""How far apart two priorities stand in a lane. Exact in a double: a thousand priorities times so many."""


class Need(NamedTuple):
    """What the jobs of a lane have in common. Memory in bytes."""

    queue: str = "default"
    user: str = ""
    gpus: str = "auto"
    gpu_memory: int | None = None  # of a GPU that it shares; None: it needs a GPU to itself
    gpu_type: tuple[str, ...] = ()  # parts of names, in small letters; any of them will do
    labels: tuple[str, ...] = ()  # such as site=berlin; all of them
    cpus: int | None = None  # cores; None: the share of a slot
    memory: int | None = None  # of the host; None: nobody counts it
    nodes: int = 1  # workers, each of which has all that


def needs_text(
    *,
    gpu_type: Sequence[str],
    labels: Mapping[str, str],
    cpus: int | None,
    memory: int | None,
    nodes: int = 1,
) -> str:
    """What a job needs beside GPUs, as its record holds it: the same text for the same needs, '' for none."""
    needs = {
        "gpu_type": sorted({kind.lower() for kind in gpu_type}),
        "labels": sorted(f"{key}={value}" for key, value in labels.items()),
        "cpus": cpus,
        "memory": memory,
        "nodes": nodes if nodes > 1 else None,
    }
    asked = {key: value for key, value in needs.items() if value}
    return json.dumps(asked, separators=(",", ":")) if asked else ""


@lru_cache(maxsize=1024)
def need_of(lane: str) -> Need:
    """What a lane is called says what its jobs need."""
    queue, user, gpus, gpu_memory, *more = json.loads(lane)
    needs = json.loads(more[0]) if more and more[0] else {}
    return Need(
        queue,
        user,
        gpus or "auto",
        int(gpu_memory or 0) or None,
        tuple(needs.get("gpu_type", ())),
        tuple(needs.get("labels", ())),
        needs.get("cpus"),
        needs.get("memory"),
        needs.get("nodes", 1),
    )
