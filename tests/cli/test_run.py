"""`run` starts a worker where none serves the queue, but its job may have another worker meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusionq.cli.run import _Help
from fusionq.spec.states import Outcome
from fusionq.store.store import Store
from tests.cli.conftest import Cli
from tests.support import register

ENDS_WITH_0, ENDS_WITH_1 = "this", "json.tool"  # modules, in the place of the worker's


@pytest.mark.parametrize(
    ("module", "has_other", "code"),
    [(ENDS_WITH_0, True, 4), (ENDS_WITH_0, False, 8), (ENDS_WITH_1, True, 8)],
)
def test_a_job_that_another_worker_has_outlives_the_worker_that_run_started(
    cli: Cli,
    store: Store,
    job_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    has_other: bool,
    code: int,
):
    def check(help_: _Help) -> None:
        assert help_._worker is not None
        help_._worker.wait(60)
        checked(help_)
        store.jobs.cancel(store.jobs.find("last"), "it went on")

    checked = _Help.check_worker
    monkeypatch.setattr(_Help, "check_worker", check)
    monkeypatch.setattr("fusionq.cli.worker.MODULE", module)
    if has_other:
        register(store, accepting=False)  # it still starts when `run` looks for workers
    assert cli("run", job_file).code == code
    record = store.jobs.get(store.jobs.find("last"))
    assert record.outcome is Outcome.CANCELLED
    assert record.reason == ("it went on" if code == 4 else "no worker could be started")
