"""Files that are meant to exhaust: each is refused soon, in a process that stays small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the size of a process from /proc")

# The kernel's own high-water mark of this program; what wait() tells counts its parent too.
VALIDATE = """
import atexit, sys
def note_size():
    status = open("/proc/self/status").read().splitlines()
    open("size", "w").write(next(line for line in status if line.startswith("VmHWM")))
atexit.register(note_size)
sys.argv = ["fusionq", "validate", "job.yaml"]
from fusionq.cli import main
main()
"""

LONGEST_S = 60.0
MOST_BYTES = 200_000_000


def _aliases() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    return "\n".join(lines + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)])


def _sweep() -> str:
    values = ", ".join(map(str, range(20_000)))
    return f"name: x\nsweep: {{params: {{a: [{values}], b: [{values}]}}}}\n"


BOMBS = {
    "aliases": _aliases(),
    "aliases that merge": "a: &a {x: 1}\n" + "b: [" + "*a, " * 150_000 + "]\n",
    "an alias within itself": "a: &a [*a, *a]\n",
    "brackets": "[" * 900_000,
    "blocks": "{a: " * 200_000,
    "dashes": "- " * 400_000,
    "deep indentation": "\n".join(" " * i + "a:" for i in range(1_300)),
    "a huge number": "name: " + "9" * 900_000,
    "a huge exponent": "priority: 1e999999999\ntimeout: " + "9" * 400 + "h\n",
    "many keys": "".join(f"k{i}: 1\n" for i in range(90_000)),
    "the same key": "name: x\n" * 90_000,
    "many errors": "a: @\n" * 200_000,
    "many tabs": "a:\n\tb: 1\n" * 90_000,
    "open quotes": "a: '" * 200_000,
    "one long line": "name: " + "x" * 990_000,
    "a sweep of a million million trials": _sweep(),
    "many variables": "name: '" + "${A}" * 200_000 + "'\n",
    "nested variables": "name: " + "${A:-" * 150_000,
    "a file of fifty megabytes": b"# x\n" * 12_500_000,
    "utf-16": "name: x\n".encode("utf-16"),
    "utf-32": "name: x\n".encode("utf-32"),
    "latin-1": "name: café\n".encode("latin-1"),
    "nul bytes": b"\0" * 900_000,
    "an archive": b"PK\x03\x04" + bytes(range(256)) * 1000,
    "many documents": "---\na: 1\n" * 90_000,
    "it extends itself": "defaults: job.yaml\n",
    "it extends much": "defaults: [" + "job.yaml, " * 50_000 + "]\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_soon_and_small(tmp_path: Path, name: str):
    content = BOMBS[name]
    (tmp_path / "job.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    code, words, most_bytes = _validate(tmp_path)
    assert code == 2, words[-2000:]
    assert words.startswith("job.yaml"), words[:200]
    assert "Traceback" not in words
    assert len(words) < 1_000_000
    assert most_bytes < MOST_BYTES


def _validate(folder: Path) -> tuple[int, str, int]:
    """`fusionq validate job.yaml` in a process of its own: exit code, words, and its largest size."""
    command = [sys.executable, "-c", VALIDATE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_S)
    size = (folder / "size").read_text()
    return done.returncode, done.stderr, int(size.split()[1]) * 1024
