"""A job beside which commands run, without its process."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from fusionq.worker.command_runner import run_command


class Sender:
    """Hands what is asked for to a worker at once, as often as `times` says."""

    def __init__(self, node: SimpleNamespace) -> None:
        self._node = node
        self.times = 1

    def run_command(self, worker: str, token: str) -> None:
        for _ in range(self.times):
            run_command(self._node, token)


def orders(folder: Path, **more: object) -> dict[str, object]:
    return {
        "environ": {"COLOUR": "green"},
        "marks": {"FUSIONQ_JOB": "aaa"},
        "withheld": ["HIDDEN"],
        "code": "",
        "workdir": str(folder),
        "run_dir": "/",
        **more,
    }
