"""Attempts that act as told, supervised to their end."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from fusionq.spec.record import JobRecord
from fusionq.store.store import Store
from fusionq.worker.running_attempts import SHUTDOWN
from fusionq.worker.supervisor import supervise
from fusionq.worker.worker import Node
from tests.worker.fakes import EPOCH, RESULT, STARTED, FakeProcess, FakeResults, Messages, Script, give


def train(process: FakeProcess) -> Iterator[Messages]:
    process.say("epoch 1\n")
    yield [STARTED]
    process.say("the end\n")
    yield [EPOCH, RESULT]
    return 0


def run(node: Node, script: Script, results: FakeResults | None = None, **spec) -> JobRecord:
    """Give the worker a job that acts as the script says, and supervise it to its end."""
    attempt = give(node, **spec)
    node.launcher.script = script
    supervise(node, results or FakeResults(), "job", attempt)
    return node.store.jobs.get("job")


def log_of(store: Store) -> str:
    return "".join(chunk.text for chunk in store.streams.log("job"))


def obedient(node: Node, reason: str) -> Script:
    """A job that is asked to stop for `reason`, and does after some looks."""

    def script(process: FakeProcess) -> Iterator[Messages]:
        yield [STARTED]
        if reason == SHUTDOWN:
            node.begin_to_stop(hurry=False)
        elif reason:
            node.running.ask_all_to_stop(reason)
        while not process.asked:
            yield []
        yield []
        yield []
        return 75

    return script


def dies(process: FakeProcess) -> Iterator[Messages]:
    process.say("going down\n")
    yield [STARTED]
    return -signal.SIGSEGV
