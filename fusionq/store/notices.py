"""What somebody is still to be told of a job or a sweep: an outbox, from which workers send."""

from __future__ import annotations

from dataclasses import dataclass

from fusionq.store import keys
from fusionq.store.connection import Client
from fusionq.store.scripts import Scripts


@dataclass(frozen=True)
class Notice:
    """`target` is the number of the address in the job file; `tries` how often it was tried before."""

    text: str
    tries: int

    @property
    def job_id(self) -> str:
        """Of a job, or of a sweep."""
        return self.text.split(" ")[0]

    @property
    def event(self) -> str:
        return self.text.split(" ")[1]

    @property
    def at(self) -> float:
        """When it happened, in seconds since 1970."""
        return int(self.text.split(" ")[2]) / 1000

    @property
    def target(self) -> int:
        return int(self.text.split(" ")[3])


class Notices:
    def __init__(self, client: Client, scripts: Scripts) -> None:
        self._redis = client
        self._scripts = scripts

    def has_due(self) -> bool:
        first = self._redis.zrange(keys.NOTICES, 0, 0, withscores=True)
        seconds, micros = self._redis.time() if first else (0, 0)
        return bool(first) and first[0][1] <= seconds * 1000 + micros / 1000

    def take(self, hold_s: float) -> Notice | None:
        """The one that has been due longest, for me alone for so long; None where there is none."""
        taken = self._scripts.run("take_notice", round(hold_s * 1000))
        return Notice(taken[0], int(taken[1])) if taken else None

    def done(self, notice: Notice) -> None:
        """It was told, or never will be."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.zrem(keys.NOTICES, notice.text)
            pipe.hdel(keys.NOTICE_TRIES, notice.text)
            pipe.execute()

    def again(self, notice: Notice, delay_s: float) -> None:
        """It could not be told: once more, so much later."""
        seconds, micros = self._redis.time()
        due = seconds * 1000 + micros // 1000 + round(delay_s * 1000)
        self._redis.zadd(keys.NOTICES, {notice.text: due}, xx=True)
