"""The benchmark of the queue runs, from a warm worker to the table of all it measures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_one_command_measures_everything_and_prints_one_table(tmp_path: Path):
    output = tmp_path / "table.json"
    command = [sys.executable, "-m", "benchmarks.queue", "--quick", "--output", output]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads(output.read_text())["rows"]
    assert "".join(sorted({row["part"] for row in rows})) == "abcdefg"
    assert all(row["value"] is not None for row in rows)
    assert done.stdout.count("\n| ") == len(rows) + 1
