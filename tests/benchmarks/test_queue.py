"""The benchmark of the queue runs from beginning to end. Its figures are for whoever runs it at full size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.acceptance
def test_every_part_gives_figures_of_fusionq(tmp_path: Path):
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "benchmarks.queue", "--quick", "--output", str(report)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = json.loads(report.read_text())["rows"]
    assert {row["part"] for row in rows if row["value"] is not None} == set("abcdefg")
    assert done.stdout.count("\n| ") == len(rows) + 1, "one table of all"
