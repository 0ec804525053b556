"""Which jobs are meant by a state, a tag, a name, …: looked up in Redis, page by page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from fusionq.spec.job_name import composed
from fusionq.store.connection import Client
from fusionq.store.scripts import Scripts

PAGE = 2_000  # jobs that Redis looks at in one call: some milliseconds
AGES = {"older_s": "older_ms", "newer_s": "newer_ms"}


@dataclass(frozen=True)
class Filters:
    """What a job must be like. An empty one lets all through; within one, any of its words will do."""

    states: tuple[str, ...] = ()  # an outcome, or the status of one that has none yet
    tags: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # may hold * and ?
    users: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()  # classes of `spec.failures`; the last one counts
    sweeps: tuple[str, ...] = ()  # ids; its trials are meant
    older_s: float | None = None  # finished at least so long ago
    newer_s: float | None = None  # submitted at most so long ago

    def to_json(self) -> str:
        """As the script reads it: what is empty is left out."""
        wanted = {key: value for key, value in asdict(self).items() if value and key not in AGES}
        if self.names:
            wanted["names"] = [_lua_pattern(composed(name)) for name in self.names]
        if self.tags:
            wanted["tags"] = [composed(tag) for tag in self.tags]
        for key, in_ms in AGES.items():
            if (seconds := getattr(self, key)) is not None:
                wanted[in_ms] = round(seconds * 1000)
        return json.dumps(wanted)


class Selection:
    """Finds jobs without carrying their records to the client."""

    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._redis = client
        self._scripts = scripts

    def ids(self, filters: Filters, *, oldest_first: bool = False, page: int = PAGE) -> Iterator[str]:
        """Jobs and trials that the filters let through, the newest first.

        One page at a time is looked at, as far as the caller reads. A job that changes meanwhile may be
        missed or be told of as it was: who moves it finds out.
        """
        after, wanted = "", filters.to_json()
        while True:
            after, *found = self._scripts.run("select", wanted, after, page, int(oldest_first))
            yield from found
            if not after:
                return


def _lua_pattern(name: str) -> str:
    """A name with * and ? as a pattern of Lua."""
    special = {"*": ".*", "?": "."}
    return "^" + re.sub(r"[^A-Za-z0-9]", lambda m: special.get(m[0], _escaped(m[0])), name) + "$"


def _escaped(character: str) -> str:
    return f"%{character}" if character.isascii() else character
