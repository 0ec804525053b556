"""The addresses of this machine."""

from __future__ import annotations

import socket

import psutil
import redis

LOOPBACK = "127.0.0.1"


def address_towards(client: redis.Redis) -> str:
    """Ours on the way to Redis, by which the other workers reach us, too; loopback where that is local."""
    where = client.connection_pool.connection_kwargs
    if "host" not in where:
        return LOOPBACK
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((where["host"], int(where.get("port", 6379))))  # sends nothing
        except OSError:
            return LOOPBACK
        return probe.getsockname()[0]


def interface_of(address: str) -> str:
    """The name of the network interface that has this address; '' where none has."""
    for name, its in psutil.net_if_addrs().items():
        if any(each.address == address for each in its):
            return name
    return ""
