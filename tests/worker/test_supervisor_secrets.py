"""Nobody else reads what a job is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fusionq.spec.load import from_yaml
from fusionq.spec.states import Outcome
from fusionq.worker.worker import Node
from tests.worker.supervised import run, train

pytestmark = pytest.mark.usefixtures("hasty")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_run_folder_is_private_and_its_job_file_holds_no_secret(node: Node):
    run(node, train, env={"API_KEY": "hunter22", "MODE": "fast"})
    folder = node.settings.runs / "job"
    assert (mode(folder), mode(folder / "job.yaml"), mode(folder / "output.log")) == (0o700, 0o600, 0o600)
    assert from_yaml((folder / "job.yaml").read_text()).env == {"API_KEY": "env:API_KEY", "MODE": "fast"}
    assert node.launcher.orders[0]["environ"]["API_KEY"] == "hunter22"


def test_a_umask_opens_it(node: Node):
    node.settings = replace(node.settings, umask=0o027)
    run(node, train)
    assert (mode(node.settings.runs / "job"), mode(node.settings.runs / "job" / "job.yaml")) == (0o750, 0o640)


def test_a_variable_of_the_worker_is_looked_up_there(node: Node, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ONLY_HERE", "hunter22")
    run(node, train, env={"API_KEY": "env:ONLY_HERE"}, notify=[{"on": ["failed"], "url": "env:HOOK"}])
    (orders,) = node.launcher.orders
    assert orders["environ"]["API_KEY"] == "hunter22"
    assert orders["spec"]["env"] == {"API_KEY": "env:ONLY_HERE"}
    assert orders["withheld"] == ["HOOK"]


def test_a_variable_that_the_worker_lacks_is_named(node: Node):
    record = run(node, train, env={"API_KEY": "env:NOWHERE"})
    assert record.outcome is Outcome.FAILED
    assert record.reason.startswith(
        "the worker w cannot run it: env.API_KEY: the worker's environment has no variable NOWHERE"
    )
