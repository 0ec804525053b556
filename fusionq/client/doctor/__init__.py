"""Examines an installation: everything that could keep jobs from running, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeVar

from fusionq.client.doctor.finding import Finding, problem
from fusionq.client.doctor.gpus import check_gpus
from fusionq.client.doctor.machine import check_limits, check_shared_memory
from fusionq.client.doctor.places import check_places
from fusionq.client.doctor.redis_server import check_clock, check_redis
from fusionq.client.doctor.versions import check_versions
from fusionq.client.doctor.workers import check_workers
from fusionq.errors import FusionqError
from fusionq.spec.settings import Settings
from fusionq.store.store import Store

T = TypeVar("T")

OF_STORE: tuple[tuple[str, Callable[[Store], Iterator[Finding]]], ...] = (
    ("redis", check_redis),
    ("clock", check_clock),
    ("workers", check_workers),
)
OF_MACHINE: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
    ("places", check_places),
    ("versions", check_versions),
    ("gpus", check_gpus),
    ("shared memory", check_shared_memory),
    ("limits", check_limits),
)


def examine(settings: Settings) -> Iterator[Finding]:
    """Runs every check; one that fails itself is a finding, and the others go on."""
    try:
        store = Store.open(settings)
    except FusionqError as error:
        yield problem("redis", error.message, error.hint)
    else:
        with closing(store):
            for name, check in OF_STORE:
                yield from _run(name, check, store)
    for name, check_machine in OF_MACHINE:
        yield from _run(name, check_machine, settings)


def _run(name: str, check: Callable[[T], Iterator[Finding]], subject: T) -> Iterator[Finding]:
    try:
        yield from check(subject)
    except FusionqError as error:
        yield problem(name, error.message, error.hint)
    except Exception as error:
        yield problem(name, f"the check itself failed: {type(error).__name__}: {error}")
