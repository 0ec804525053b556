"""A worker that serves queues, for tests of the real planner on a real store."""

from __future__ import annotations

import json
from collections.abc import Sequence

from fusionq.store.store import Store


def serving(
    store: Store, name: str = "w", *, slots: int = 1, gpus: str = "[]", queues: Sequence[str] = ("default",)
) -> None:
    fields = {"slots": slots, "accepting": 1, "queues": json.dumps(queues), "gpus": gpus, "host": "h"}
    assert store.workers.register(name, "token", 60, fields)
