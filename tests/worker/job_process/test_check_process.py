"""A process that checks jobs which are not submitted yet."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from fusionq.spec.load import from_yaml
from fusionq.spec.verdict import Verdict
from fusionq.worker import job_check
from fusionq.worker.job_process_launcher import Launcher
from tests.worker.job_process.attempts import JOB, LONG_S


def test_a_process_checks_jobs_and_trains_none(launcher: Launcher, tmp_path: Path):
    (tmp_path / "own.py").write_text(
        "import os\nfrom torch import nn\nWIDTH = int(os.environ['WIDTH'])\n"
        "def net():\n    print('hello')\n    return nn.Sequential(nn.Flatten(), nn.Linear(WIDTH, 10))\n"
    )
    settings = SimpleNamespace(runs=tmp_path / "runs", home=tmp_path, data=None)
    node = SimpleNamespace(name="w", launcher=launcher, settings=settings)
    job = from_yaml(JOB).to_data()
    specs = [{**job, "model": {"_target_": "own.net"}, "env": {"WIDTH": width}} for width in ("64", "63")]
    question = {"specs": specs, "workdir": str(tmp_path), "code": "", "timeout_s": LONG_S}
    right, wrong = map(Verdict.from_data, job_check._answer(node, "token", question)["verdicts"])
    assert (right.problems, right.notes) == ([], [])
    assert "takes 63 features" in wrong.problems[0][1]
    assert not (tmp_path / "runs").exists()


def test_a_worker_that_does_not_see_the_folder_checks_nothing(tmp_path: Path):
    node = SimpleNamespace(name="w")
    question = {"specs": [], "workdir": str(tmp_path / "gone"), "code": "", "timeout_s": 1}
    assert job_check._answer(node, "t", question) == {
        "skipped": f"the worker w does not see {tmp_path / 'gone'}"
    }
