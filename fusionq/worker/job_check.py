"""Checks jobs for whoever is about to submit them, in a process that has torch loaded already."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from fusionq.errors import FusionqError
from fusionq.queue import code_archives
from fusionq.spec.variables import resolve_environment
from fusionq.worker import lease_guard as leash
from fusionq.worker import protocol as wire
from fusionq.worker.code_cache import hold_code
from fusionq.worker.processes.tree import marks_of
from fusionq.worker.request_threads import place_in, serve
from fusionq.worker.worker import Node

AT_ONCE = threading.BoundedSemaphore(2)  # what is checked takes from those that train
LOOK_S = 0.05
END_S = 5.0


def check_jobs(node: Node, token: str) -> None:
    """Check them, or say why not. Returns at once."""
    checks = node.store.checks
    serve("checking", lambda: _check(node, token), lambda reason: checks.answer(token, _skipped(reason)))


def _check(node: Node, token: str) -> None:
    question = node.store.checks.question(token)
    if question is None:
        return
    with place_in(AT_ONCE, f"the worker {node.name} checks other jobs"):
        node.store.checks.answer(token, _answer(node, token, question))


def _answer(node: Node, token: str, question: dict[str, Any]) -> dict[str, Any]:
    if not os.path.isdir(question["workdir"]):
        return _skipped(f"the worker {node.name} does not see {question['workdir']}")
    deadline = time.monotonic() + question["timeout_s"]
    with ExitStack() as held:
        try:
            process = node.launcher.spawn(
                _orders(node, token, question, held), lambda: time.monotonic() > deadline
            )
        except (FusionqError, OSError) as error:
            return _skipped(f"the worker {node.name} cannot check it: {error}")
        try:
            while not process.is_over and time.monotonic() < deadline + END_S:
                if answer := _answer_in(process.receive(LOOK_S)):
                    return answer
            process.kill_tree()
            no_answer = _skipped(f"the check on {node.name} ended without an answer")
            return _answer_in(process.last_words()) or no_answer
        finally:
            process.kill_tree()
            process.close()


def _answer_in(messages: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    found = (message for message in messages if message.get("kind") == wire.VERDICTS)
    return next(({"verdicts": message["verdicts"]} for message in found), None)


def _orders(node: Node, token: str, question: dict[str, Any], held: ExitStack) -> dict[str, Any]:
    """What the process is told; where files of the jobs' code are unpacked, they are `held` meanwhile."""
    digest, settings = question["code"], node.settings

    def fetch() -> bytes:
        return code_archives.fetch(node.store, settings.runs, digest)

    specs = [
        {**spec, "env": resolve_environment(spec.get("env", {}), os.environ)} for spec in question["specs"]
    ]
    return {
        wire.TO_CHECK: specs,
        "workdir": question["workdir"],
        "code": hold_code(held, settings.home, digest, fetch),
        "data_root": str(settings.data) if settings.data else "",
        "runs": str(settings.runs),
        "timeout_s": question["timeout_s"],
        leash.UNTIL: leash.moment_after(leash.now(), question["timeout_s"] + END_S),
        "marks": marks_of(f"check-{token}", 0),
    }


def _skipped(reason: str) -> dict[str, Any]:
    return {"skipped": reason}
