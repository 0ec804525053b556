"""Jobs that train on several workers at once: real workers of one machine, joined by gloo."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusionq.spec.record import JobRecord
from fusionq.spec.states import Outcome, Status
from fusionq.store import keys
from tests.acceptance.installation import LONG_S, SLOWLY, Installation
from tests.acceptance.test_ranks import PLAIN, assert_same_within_rounding
from tests.acceptance.test_recovery import assert_same_result
from tests.support import wait_until

pytestmark = pytest.mark.acceptance

ON_TWO = "resources.nodes=2"
FAILS = """
import os
import fusionq as tf

class FailsIn1(tf.StandardModel):
    def __train_func__(self, *arguments):
        if os.environ['RANK'] == '1' and arguments[-1] == 3:
            raise ValueError('these samples are odd')
        super().__train_func__(*arguments)
"""


def with_two_workers(installation: Installation) -> dict[str, subprocess.Popen[bytes]]:
    installation.cli("up")
    (installation.workdir / "failing.py").write_text(FAILS)
    begun = {name: installation.begin_worker(name) for name in ("one", "two")}
    for name, worker in begun.items():
        wait_until(lambda name=name, worker=worker: installation.is_ready(name, worker), timeout_s=LONG_S)
    return begun


@pytest.fixture(scope="module")
def steady_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with two workers, which nobody harms."""
    installation = Installation(tmp_path_factory.mktemp("pair"))
    with_two_workers(installation)
    yield installation
    installation.close()


@pytest.fixture
def pair(installation: Installation) -> tuple[Installation, dict[str, subprocess.Popen[bytes]]]:
    """The same for a test alone."""
    return installation, with_two_workers(installation)


def nothing_is_held(installation: Installation) -> None:
    redis = installation.store.redis
    held = [keys.worker_jobs("one"), keys.worker_jobs("two"), keys.USAGE, keys.LEASES, keys.gang("*")]
    wait_until(lambda: not any(redis.keys(key) for key in held), timeout_s=LONG_S, what="all given back")


def run_dir_of(record: JobRecord) -> Path:
    return Path(record.run_dir)


def test_two_workers_train_together_and_come_to_the_result_of_one(steady_pair: Installation) -> None:
    installation = steady_pair
    alone = installation.await_end(installation.submit(*PLAIN))
    job_id = installation.submit(*PLAIN, ON_TWO, "resources.processes=2", *SLOWLY)
    installation.await_epochs(job_id, 1)
    workers = installation.store.workers.alive()
    assert [worker.jobs for worker in workers] == [(job_id,), (job_id,)]
    record = installation.await_end(job_id)
    assert record.outcome is Outcome.SUCCEEDED, record.reason
    assert f", with {record.members[0][0]}\n" in installation.cli("status", job_id).stdout
    assert {record.worker, *dict(record.members)} == {"one", "two"}
    assert_same_within_rounding(alone, record)
    ranks = sorted(path.name for path in (run_dir_of(record) / "ranks").iterdir())
    assert ranks == ["node-1.log", "rank-1.log", "rank-2.log", "rank-3.log"]
    nothing_is_held(installation)


def test_all_start_together_or_none_does(installation: Installation) -> None:
    installation.cli("up")
    installation.start_worker("one")
    job_id = installation.submit(ON_TWO)
    assert "needs 2 workers that can hold it; 1 is alive" in installation.cli("status", job_id).stdout
    assert installation.store.workers.alive()[0].jobs == ()
    installation.start_worker("two")
    record = installation.await_end(job_id)
    assert record.outcome is Outcome.SUCCEEDED, record.reason


def test_a_lost_worker_takes_the_attempt_along_and_it_goes_on_as_a_whole(pair) -> None:
    installation, workers = pair
    undisturbed = installation.await_end(installation.submit("train.epochs=6", ON_TWO))
    job_id = installation.submit("train.epochs=6", ON_TWO, *SLOWLY)
    for attempt, is_leader in ((1, False), (2, True)):
        installation.await_epochs(job_id, 2 * attempt - 1, attempt=attempt)
        record = installation.store.jobs.get(job_id)
        victim = record.worker if is_leader else record.members[0][0]
        workers[victim].send_signal(signal.SIGKILL)
        workers[victim].wait()
        workers[victim] = installation.begin_worker(victim)
        wait_until(lambda: installation.store.jobs.get(job_id).losses == attempt, timeout_s=LONG_S)  # noqa: B023
        assert installation.store.jobs.get(job_id).failure in ("worker_lost", "lost_lease")
    record = installation.await_end(job_id)
    assert record.attempt == 3
    assert_same_result(record, undisturbed)
    nothing_is_held(installation)


def test_a_worker_that_is_told_to_stop_sends_the_whole_job_back(pair) -> None:
    installation, workers = pair
    job_id = installation.submit("train.epochs=50", ON_TWO, *SLOWLY)
    installation.await_epochs(job_id, 1)
    [(member, _)] = installation.store.jobs.get(job_id).members
    workers[member].send_signal(signal.SIGTERM)
    assert workers[member].wait(timeout=120) == 0
    wait_until(lambda: installation.store.jobs.get(job_id).status is Status.QUEUED, timeout_s=LONG_S)
    record = installation.store.jobs.get(job_id)
    assert record.losses == 0
    assert record.reason == "it was asked to make room; its state is saved"


def test_an_error_on_another_worker_is_told_as_that_ranks(steady_pair: Installation) -> None:
    installation = steady_pair
    record = installation.await_end(installation.submit("trainer=failing.FailsIn1", ON_TWO))
    assert record.reason.startswith("rank 1: ValueError: these samples are odd (failing.py, line ")
    nothing_is_held(installation)


def test_cancelling_it_ends_it_everywhere(steady_pair: Installation) -> None:
    installation = steady_pair
    job_id = installation.submit("train.epochs=500", ON_TWO, *SLOWLY)
    installation.await_epochs(job_id, 1)
    done = installation.cli("cancel", job_id)
    assert "its state is saved" in done.stderr
    nothing_is_held(installation)
    other = installation.await_end(installation.submit(ON_TWO))
    assert other.outcome is Outcome.SUCCEEDED, other.reason
    assert installation.status(job_id)["outcome"] == "cancelled"


# --- machines with addresses of their own ------------------------------------------------------------


def run_ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True).returncode == 0


@pytest.fixture
def hosts() -> Iterator[dict[str, str]]:
    """Two network namespaces joined by a cable: their addresses by their names."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2")
    addresses = {f"fq{os.getpid()}a": "10.231.7.1", f"fq{os.getpid()}b": "10.231.7.2"}
    one, two = addresses
    try:
        if not all(run_ip("netns", "add", name) for name in addresses):
            pytest.skip("no network namespace may be made here")
        assert run_ip(
            "link", "add", "cable", "netns", one, "type", "veth", "peer", "name", "cable", "netns", two
        )
        for name, address in addresses.items():
            assert run_ip("-n", name, "addr", "add", f"{address}/30", "dev", "cable")
            assert run_ip("-n", name, "link", "set", "cable", "up")
            assert run_ip("-n", name, "link", "set", "lo", "up")
        yield addresses
    finally:
        for name in addresses:
            run_ip("netns", "del", name)


def test_workers_of_two_machines_train_together_over_the_network(
    installation: Installation, hosts: dict[str, str]
) -> None:
    installation.cli("up")
    for name, address in hosts.items():
        within = ("ip", "netns", "exec", name)
        worker = installation.begin_worker(name, within=within, FUSIONQ_WORKER_ADDRESS=address)
        wait_until(lambda name=name, worker=worker: installation.is_ready(name, worker), timeout_s=LONG_S)
    alone = installation.await_end(installation.submit(*PLAIN))
    together = installation.await_end(installation.submit(*PLAIN, ON_TWO))
    assert together.outcome is Outcome.SUCCEEDED, together.reason
    assert_same_within_rounding(alone, together)
