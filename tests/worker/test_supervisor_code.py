"""An attempt runs the code that was submitted."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusionq.errors import StoreUnavailableError
from fusionq.queue.tree import File, digest_of, pack
from fusionq.spec.load import from_yaml
from fusionq.spec.paths import code_cache
from fusionq.spec.states import Outcome, Status
from fusionq.worker.code_cache import clear
from fusionq.worker.supervisor import supervise
from fusionq.worker.worker import Node
from tests.support import ONE_JOB
from tests.worker.fakes import RESULT, FakeProcess, FakeResults, Messages, Outage
from tests.worker.supervised import run, train

pytestmark = pytest.mark.usefixtures("hasty")


CODE = [File("own.py", b"WORD = 1\n")]
DIGEST = digest_of(CODE)


def give_with_code(node: Node, **fields: str) -> int:
    store = node.store
    record = {"name": "tiny", "queue": "default", "priority": 0, "code": DIGEST, **fields}
    assert store.jobs.submit("job", from_yaml(ONE_JOB).to_data(), record)
    return store.jobs.assign("job", node.name, (), 60)


def test_a_job_gets_the_folder_of_its_code_and_where_that_stood(node: Node, results: FakeResults):
    node.store.blobs.put(DIGEST, pack(CODE))
    node.store.blobs.put("d" * 64, gzip.compress(b"+WORD = 1"))
    attempt = give_with_code(node, diff="d" * 64, provenance='{"commit": "c0ffee"}')
    node.launcher.script = train
    supervise(node, results, "job", attempt)
    (orders,) = node.launcher.orders
    assert (Path(orders["code"]) / "own.py").read_text() == "WORD = 1\n"
    assert orders["provenance"]["code"] == DIGEST
    assert orders["provenance"]["git"] == {"commit": "c0ffee", "diff": "+WORD = 1"}
    assert "celery" in orders["provenance"]["packages"]
    assert node.store.jobs.get("job").outcome is Outcome.SUCCEEDED


def test_code_in_use_is_not_cleared_while_the_job_runs(node: Node, results: FakeResults):
    node.store.blobs.put(DIGEST, pack(CODE))
    attempt = give_with_code(node)
    cache = code_cache(node.settings.home)
    seen = []

    def script(process: FakeProcess) -> Iterator[Messages]:
        clear(cache, kept=0)
        seen.append((cache / DIGEST).exists())
        yield [RESULT]
        return 0

    node.launcher.script = script
    supervise(node, results, "job", attempt)
    clear(cache, kept=0)
    assert seen == [True]
    assert not (cache / DIGEST).exists()


def test_a_job_without_code_gets_no_folder(node: Node):
    run(node, train)
    assert node.launcher.orders[0]["code"] == ""


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        (b"no archive", "the archive is damaged"),
        (pack([]), "the archive of the job's code is damaged: its digest is another"),
        (b"", "the job's code cannot be read"),
    ],
)
def test_code_that_cannot_be_had_ends_the_job_with_its_reason(
    node: Node, results: FakeResults, stored: bytes, why: str
):
    node.store.blobs.put(DIGEST, stored)
    attempt = give_with_code(node)
    node.launcher.script = train
    supervise(node, results, "job", attempt)
    record = node.store.jobs.get("job")
    assert record.outcome is Outcome.FAILED
    assert record.reason.startswith(f"the worker w cannot run it: {why}")
    assert node.launcher.processes == []


def test_an_outage_while_the_code_is_fetched_is_waited_out(
    node: Node, results: FakeResults, monkeypatch: pytest.MonkeyPatch
):
    node.store.blobs.put(DIGEST, pack(CODE))
    attempt = give_with_code(node)
    Outage(monkeypatch, node.store.blobs, "get", 3)
    node.launcher.script = train
    supervise(node, results, "job", attempt)
    assert node.store.jobs.get("job").outcome is Outcome.SUCCEEDED


def test_a_worker_that_leaves_while_its_code_cannot_be_fetched_gives_the_job_back(
    node: Node, results: FakeResults, monkeypatch: pytest.MonkeyPatch
):
    node.store.blobs.put(DIGEST, pack(CODE))
    attempt = give_with_code(node)

    def leave(digest: str) -> bytes:
        node.begin_to_stop(hurry=False)
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(node.store.blobs, "get", leave)
    node.launcher.script = train
    supervise(node, results, "job", attempt)
    record = node.store.jobs.get("job")
    assert (record.status, record.losses) == (Status.QUEUED, 0)
    assert node.launcher.processes == []
