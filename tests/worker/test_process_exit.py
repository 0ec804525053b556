"""The end of a job process, in a process without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGIN = """
import atexit, os, sys, threading, time
from fusionq.worker.job_process.process_exit import leave, note_what_is_there
note_what_is_there()
"""


def end(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("threading.Thread(target=time.sleep, args=(600,)).start()", "waited for its threads"),
        ("atexit.register(time.sleep, 600)", "ran what was registered with atexit"),
    ],
)
def test_what_never_ends_is_cut_off_and_said(code: str, words: str):
    ended = end(f"{code}\nleave(75, limit_s=0.2)")
    assert ended.returncode == 75
    assert ended.stderr == f"WARNING: the process was ended 0.2 s after its job was over, while it {words}\n"


def test_nothing_that_fails_changes_the_exit_code():
    ended = end("atexit.register(sys.exit, 9)\nsys.stdout.close()\nsys.stderr.close()\nleave(3)")
    assert ended.returncode == 3


def test_what_c_code_has_printed_is_not_lost():
    ended = end("import ctypes\nctypes.CDLL(None).puts(b'of C')\nprint('of Python')\nleave(0)")
    assert sorted(ended.stdout.split("\n")) == ["", "of C", "of Python"]


def test_what_was_there_before_the_job_is_not_ended():
    """As a folder of the fork server's own, in each of its children."""
    code = """
import tempfile
folder = tempfile.TemporaryDirectory()
note_what_is_there()
if os.fork() == 0:
    leave(0)
os.wait()
print(os.path.isdir(folder.name))
"""
    assert end(code).stdout == "True\n"
