"""The store as one object: what an upper layer holds of Redis."""

from __future__ import annotations

from fusionq.spec.settings import Settings
from fusionq.store.blobs import Blobs
from fusionq.store.connection import Client, connect
from fusionq.store.embedded import EmbeddedRedis
from fusionq.store.jobs import Jobs
from fusionq.store.passes import Passes
from fusionq.store.scripts import Scripts
from fusionq.store.streams import Streams
from fusionq.store.workers import Workers


class Store:
    """Jobs, blobs, streams, workers and passes in one Redis."""

    def __init__(self, client: Client, url: str = "") -> None:
        scripts = Scripts(client)
        self.redis = client
        self.url = url
        self.jobs = Jobs(client, scripts)
        self.blobs = Blobs(client, scripts)
        self.streams = Streams(client)
        self.workers = Workers(client, scripts)
        self.passes = Passes(client, scripts)

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Connect to the Redis of the settings, starting the embedded one where none is named."""
        url = redis_url(settings)
        return cls(connect(url), url)

    def uptime_s(self) -> float:
        """How long Redis has been up."""
        return float(self.redis.info("server")["uptime_in_seconds"])

    def ping(self) -> None:
        """Raises StoreUnavailableError where Redis does not answer."""
        self.redis.ping()

    def close(self) -> None:
        self.redis.close()


def redis_url(settings: Settings) -> str:
    """The URL to talk to; starts the embedded Redis where the settings name none."""
    return settings.redis_url or EmbeddedRedis(settings.home).ensure_running()
