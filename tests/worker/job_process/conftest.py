"""One warm fork server for all tests of this folder; it imports torch once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fusionq.spec.load import from_yaml
from fusionq.spec.paths import RunPaths
from fusionq.worker import lease_guard as leash
from fusionq.worker.job_process_launcher import Launcher
from tests.worker.job_process.attempts import JOB, TRAINERS, Attempt


@pytest.fixture(scope="package")
def launcher() -> Iterator[Launcher]:
    """A warm fork server for all tests of this folder."""
    launcher = Launcher()
    launcher.begin()
    launcher.await_ready()
    yield launcher
    launcher.stop()


@pytest.fixture
def start(launcher: Launcher, tmp_path: Path) -> Iterator[Callable[..., Attempt]]:
    """Starts job processes that train on the digits; `do` is what happens before each batch."""
    begun: list[Attempt] = []

    def begin(
        do: str = "",
        *,
        seed: int = 3,
        more: str = "",
        environ: dict[str, str] | None = None,
        give_up: Callable[[], bool] = lambda: False,
        **orders,
    ) -> Attempt:
        number = len(list(tmp_path.glob("work*")))
        workdir = tmp_path / f"work{number}"
        workdir.mkdir()
        paths = RunPaths(tmp_path / f"run{number}")
        paths.root.mkdir()
        text = f"{JOB}train: {{epochs: 2, seed: {seed}}}\n"
        if do:
            (workdir / "trainers.py").write_text(f"{TRAINERS}\n    def do(self):\n        {do}\n")
            text += "trainer: trainers.Doing\n"
        defaults = {
            "spec": from_yaml(text + more).to_data(),
            "attempt": 1,
            "fresh_after": 0,
            "run_dir": str(paths.root),
            "output_log": str(paths.output_log),
            "workdir": str(workdir),
            "code": "",
            "provenance": {},
            "umask": 0o077,
            "withheld": [],
            "data_root": "",
            "threads": 1,
            "processes": 1,
            "nodes": 1,
            "gpu_memory": None,
            leash.UNTIL: leash.now() + 3600,
            "marks": {"FUSIONQ_JOB": tmp_path.name, "FUSIONQ_ATTEMPT": str(number)},
            "environ": {"CUDA_VISIBLE_DEVICES": "", **(environ or {})},
        }
        attempt = Attempt(launcher.spawn({**defaults, **orders}, give_up), paths, workdir)
        begun.append(attempt)
        return attempt

    yield begin
    for attempt in begun:
        attempt.process.kill_tree()
        attempt.process.close()
