"""Asks a process of its own for the deep check of jobs, so that the command line need not load torch."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fusionq.spec.job import JobSpec
from fusionq.spec.verdict import Verdict

_MODULE = "fusionq.engine.checking"
# Shapes need no GPU, and a thread per core helps nobody here.
_ENVIRON = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
LONGEST_S = 600.0


def is_possible() -> bool:
    """Whether torch is installed here; does not import it."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "torchvision"))


class DeepCheck:
    """One process for many jobs: `start`, do something else meanwhile, then `result` or `stop`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._answer: Any = None
        self._said: Any = None
        self._count = 0

    def start(
        self,
        specs: Sequence[JobSpec],
        workdir: Path,
        data_root: Path | None,
        path: Sequence[Path] = (),
        timeout_s: float = LONGEST_S,
    ) -> None:
        """Begin; returns at once. `path` are more folders to import the user's modules from."""
        self._count = len(specs)
        asked = {
            "jobs": [{"spec": spec.to_data()} for spec in specs],
            "workdir": str(workdir.absolute()),
            "path": [str(folder) for folder in path],
            "data_root": str(data_root) if data_root else None,
            "timeout_s": timeout_s,
        }
        # Files and not pipes: neither side ever waits for the other to read.
        self._answer, self._said = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        with tempfile.TemporaryFile() as question:
            question.write(json.dumps(asked).encode())
            question.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", _MODULE],
                stdin=question,
                stdout=self._answer,
                stderr=self._said,
                env={**os.environ, **_ENVIRON},
                start_new_session=True,  # to end it with all that a user's code may have started
            )

    def result(self, timeout_s: float) -> list[Verdict] | None:
        """A verdict for each job, or None where none came in time; the process is gone either way."""
        assert self._process is not None
        try:
            self._process.wait(timeout_s)
            return self._read()
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.stop()

    def stop(self) -> None:
        """End the process, with its children, where it still runs."""
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self._process.wait()
        self._process = None
        self._answer.close()
        self._said.close()

    def _read(self) -> list[Verdict]:
        self._answer.seek(0)
        try:
            found = json.loads(self._answer.read())["verdicts"]
            return [Verdict.from_data(data) for data in found]
        except (ValueError, KeyError, TypeError):
            return [
                Verdict(notes=[f"the deep check ended without an answer{self._last_words()}"])
            ] * self._count

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f" ({lines[-1][:300]})" if lines else ""
