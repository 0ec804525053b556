"""The store as one object: what an upper layer holds of Redis."""

from __future__ import annotations

from collections.abc import Sequence

from fusionq.spec.record import JobRecord, SweepRecord
from fusionq.spec.settings import Settings
from fusionq.store import fitness, keys
from fusionq.store.blobs import Blobs
from fusionq.store.bulk import Bulk
from fusionq.store.checks import Checks
from fusionq.store.command_input import CommandInput
from fusionq.store.commands import Commands
from fusionq.store.connection import Client, connect
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.gangs import Gangs
from fusionq.store.identity import Identity
from fusionq.store.jobs import Jobs
from fusionq.store.notices import Notices
from fusionq.store.passes import Passes
from fusionq.store.queues import Queues
from fusionq.store.removal import Removal
from fusionq.store.scripts import Scripts
from fusionq.store.selection import Selection
from fusionq.store.streams import Streams
from fusionq.store.sweeps import Sweeps
from fusionq.store.transfers import Transfers
from fusionq.store.view import View, read_view
from fusionq.store.workers import Workers


class Store:
    """Jobs, sweeps, blobs, streams, workers, queues and passes in one Redis."""

    def __init__(self, client: Client, url: str = "", embedded: EmbeddedRedis | None = None) -> None:
        scripts = Scripts(client)
        self.embedded = embedded
        self._scripts = scripts
        self.redis = client
        self.url = url
        self.jobs = Jobs(client, scripts)
        self.sweeps = Sweeps(client, scripts, self.jobs)
        self.blobs = Blobs(client, scripts)
        self.streams = Streams(client)
        self.gangs = Gangs(client, scripts)
        self.workers = Workers(client, scripts)
        self.queues = Queues(client, scripts)
        self.passes = Passes(client, scripts)
        self.selection = Selection(client, scripts)
        self.bulk = Bulk(client, scripts)
        self.removal = Removal(client, scripts)
        self.transfers = Transfers(client)
        self.checks = Checks(client)
        self.commands = Commands(client)
        self.command_input = CommandInput(client)
        self.notices = Notices(client, scripts)
        self.identity = Identity(client)

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Connect to the Redis of the settings, starting the embedded one where none is named."""
        if settings.redis_url:
            return cls(connect(settings.redis_url), settings.redis_url)
        embedded = EmbeddedRedis(settings.home)
        url = embedded.ensure_running()
        return cls(connect(url, own_socket=True), url, embedded)

    @property
    def place(self) -> str:
        """Which Redis this is, to people and in run folders: a URL, or the folder of the embedded one."""
        return str(self.embedded.folder) if self.embedded else self.redis.shown_url

    def view(self) -> View:
        """What the planner looks at."""
        return read_view(self._scripts)

    def rows(self, count: int) -> list[JobRecord | SweepRecord]:
        """The last `count` rows of the overview, the newest last: sweeps, and jobs that are no trials."""
        return self.rows_of(self.row_ids(count))

    def row_ids(self, count: int) -> list[str]:
        """Returns the ids of the last `count` rows of the overview, the newest last."""
        return self.redis.zrevrange(keys.ROWS, 0, count - 1)[::-1] if count > 0 else []

    def rows_of(self, ids: Sequence[str]) -> list[JobRecord | SweepRecord]:
        """Returns jobs and sweeps in the order of their ids; those without a record are left out."""
        pipe = self.redis.pipeline(transaction=False)
        for row_id in ids:
            pipe.hgetall(keys.sweep(row_id))
            pipe.hgetall(keys.job(row_id))
        answers = pipe.execute()
        rows = []
        for row_id, sweep, job in zip(ids, answers[0::2], answers[1::2], strict=True):
            if sweep:
                rows.append(SweepRecord.from_hash(row_id, sweep))
            elif job:
                rows.append(JobRecord.from_hash(row_id, job))
        return rows

    def num_rows(self) -> int:
        """How many rows there are in all."""
        return self.redis.zcard(keys.ROWS)

    def now(self) -> float:
        """Redis's clock, which alone counts: seconds since 1970."""
        seconds, micros = self.redis.time()
        return seconds + micros / 1e6

    def uptime_s(self) -> float:
        """How long Redis has been up."""
        return float(self.redis.info("server")["uptime_in_seconds"])

    def ping(self) -> None:
        """Raises StoreUnavailableError where Redis does not answer."""
        self.redis.ping()

    def check(self) -> None:
        """Raises StoreUnavailableError where Redis does not answer, or cannot hold a queue."""
        fitness.check(fitness.read_facts(self.redis), self.redis.shown_url)

    def check_channels(self, channels: tuple[str, ...]) -> None:
        """Raises StoreUnavailableError where this user of Redis may not listen to one of them."""
        fitness.check_channels(self.redis, channels)

    def close(self) -> None:
        self.redis.close()


def redis_url(settings: Settings) -> str:
    """The URL to talk to; starts the embedded Redis where the settings name none."""
    return settings.redis_url or EmbeddedRedis(settings.home).ensure_running()
