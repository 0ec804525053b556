"""The Lua scripts, each loaded once per connection, behind a generated head of keys, moves and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import redis

from fusionq.spec.states import FIRST_MOVES, LEGAL_MOVES, RECOVERY_MOVES, RETRY_MOVES
from fusionq.spec.stops import JOB_STOPS, WORKER_STOPS
from fusionq.store import keys
from fusionq.store.need import SUBMISSIONS

# What the scripts share, in the order in which it builds on itself.
_SHARED = (
    "_gpus",
    "_library",
    "_workers",
    "_notices",
    "_host",
    "_members",
    "_lanes",
    "_reservations",
    "_stops",
    "_parents",
    "_arrivals",
    "_endings",
    "_retries",
    "_holds",
)

# Moves that only these scripts may make.
_MORE_MOVES = {
    "submit": FIRST_MOVES,
    "submit_sweep": FIRST_MOVES,
    "retry": RETRY_MOVES,
    "retry_sweep": RETRY_MOVES,
    "quarantine": RETRY_MOVES,
    "recover": RECOVERY_MOVES,
}

# Scripts that must run when Redis is full, for they make room. Redis denies memory only as long as a script
# has written nothing, so they begin with a removal, of a key that never exists.
_WHEN_FULL = ("remove", "cancel", "cancel_sweep")


class Scripts:
    """Runs scripts by name: `scripts.run("start", job_id, attempt)`."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._registered: dict[str, Any] = {}

    def run(self, name: str, *args: str | bytes | int | float, client: redis.Redis | None = None) -> Any:
        """Run a script, or queue it on a pipeline given as `client`."""
        if name not in self._registered:
            self._registered[name] = self._client.register_script(source(name))
        return self._registered[name](args=args, client=client)


@cache
def source(name: str) -> str:
    """The whole text of a script as Redis gets it."""
    opening = f"redis.call('DEL', '{keys.NO_KEY}')" if name in _WHEN_FULL else ""
    head = (keys.to_lua(), _legal_moves(name), _numbers())
    return "\n".join((*head, *map(_text, _SHARED), opening, _text(name)))


def _legal_moves(script: str) -> str:
    moves = [*LEGAL_MOVES.items(), *_MORE_MOVES.get(script, {}).items()]
    pairs = [f"['{start}>{end}'] = true" for start, ends in moves for end in sorted(ends)]
    return f"local LEGAL = {{{', '.join(pairs)}}}"


def _numbers() -> str:
    return "\n".join(
        (
            f"local SUBMISSIONS = {SUBMISSIONS}",
            f"local STOP_RANK = {_ranks(JOB_STOPS)}",
            f"local WORKER_STOP_RANK = {_ranks(WORKER_STOPS)}",
        )
    )


def _ranks(words: Sequence[str]) -> str:
    """The words as a table, none at all before them."""
    return "{" + ", ".join(f"['{word}'] = {rank}" for rank, word in enumerate(("", *words))) + "}"


def _text(name: str) -> str:
    return resources.files(__package__).joinpath("scripts", f"{name}.lua").read_text(encoding="utf-8")
