"""The deep check as a process of its own: its answer comes whatever a user's code does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from fusionq.queue.deep_check import DeepCheck, is_possible
from fusionq.spec.job import JobSpec
from fusionq.spec.load import from_yaml
from fusionq.spec.verdict import Verdict
from tests.support import is_gone, wait_until

pytest.importorskip("torchvision")

LONG_S = 120.0
JOB = """
model: {{_target_: own.{name}}}
data: {{train: {{_target_: Digits, size: 8}}, transform: [{{_target_: ToTensor}}]}}
loss: {{_target_: CrossEntropyLoss}}
optimizer: {{_target_: SGD, lr: 0.1}}
"""
OWN = """
import os, sys, time, torch

print("imported")
os.system("echo from a child")

class Flat(torch.nn.Linear):
    def __init__(self):
        super().__init__(64, 10)

    def forward(self, inputs):
        return super().forward(inputs.flatten(1))

class Printing(Flat):
    def __init__(self):
        super().__init__()
        print('{"verdicts": []}')

class Asking(Flat):
    def __init__(self):
        super().__init__()
        input("who are you? ")

class Exiting(Flat):
    def __init__(self):
        sys.exit("enough")

class Dying(Flat):
    def __init__(self):
        print("about to die", file=sys.stderr, flush=True)
        os._exit(1)

class Hanging(Flat):
    def __init__(self):
        open("reached", "w").close()
        time.sleep(600)

MADE = []

class Counting(Flat):
    def __init__(self):
        super().__init__()
        MADE.append(1)
        assert len(MADE) == 1

def Wide():
    import wide
    return wide.model()

class Threading(Flat):
    def __init__(self):
        super().__init__()
        import threading
        threading.Thread(target=time.sleep, args=(600,)).start()
"""
WIDE = """
import os
from torch import nn

WIDTH = int(os.environ["WIDTH"])

def model():
    return nn.Sequential(nn.Flatten(), nn.Linear(WIDTH, 10))
"""


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "random.py").write_text("raise RuntimeError('the wrong module')")
    (tmp_path / "leaving.py").write_text("import sys; sys.exit(1)")
    (tmp_path / "wide.py").write_text(WIDE)
    (tmp_path / "broken.py").write_text("1 / 0")
    return tmp_path


def spec(name: str) -> JobSpec:
    return from_yaml(JOB.format(name=name))


def check(workdir: Path, *specs: JobSpec) -> list[Verdict]:
    deep = DeepCheck()
    deep.start(specs, workdir, None)
    verdicts = deep.result(LONG_S)
    assert verdicts is not None
    return verdicts


def test_every_job_gets_its_verdict_whatever_its_code_does(workdir: Path):
    names = ("Flat", "Printing", "Threading", "Exiting", "Asking", "Missing")
    flat, printing, threading, exiting, asking, missing = check(workdir, *map(spec, names))
    assert flat.problems == flat.notes == []
    assert flat.estimate["parameters"] == 650
    assert printing == threading == flat
    assert exiting.problems == [(("model",), "model: Exiting: SystemExit: enough")]
    assert asking.problems == [(("model",), "model: Asking: EOFError: EOF when reading a line")]
    assert missing.problems[0][0] == ("model",)
    assert "own has no 'Missing'" in missing.problems[0][1]


def test_a_module_that_leaves_or_fails_is_a_problem(workdir: Path):
    leaving, broken = (from_yaml(JOB.format(name="x").replace("own", name)) for name in ("leaving", "broken"))
    one, other = check(workdir, leaving, broken)
    assert one.problems == [(("model",), "model: importing leaving.x ends the process (SystemExit)")]
    assert other.problems == [(("model",), "model: importing broken.x: ZeroDivisionError: division by zero")]


def test_a_process_that_dies_is_a_note_for_its_job_alone(workdir: Path):
    flat, dying = check(workdir, spec("Flat"), spec("Dying"))
    assert flat.notes == []
    said = "it ended without an answer (about to die)"
    assert dying == Verdict(notes=[f"the deep check gave no answer: {said}"])


def test_what_one_job_keeps_no_other_job_finds(workdir: Path):
    assert [verdict.problems for verdict in check(workdir, spec("Counting"), spec("Counting"))] == [[], []]


def test_a_job_is_checked_in_its_environment(workdir: Path):
    wide = spec("Wide").model_copy(update={"env": {"WIDTH": "64"}})
    narrow = spec("Wide").model_copy(update={"env": {"WIDTH": "63"}})
    first, second, third = check(workdir, wide, narrow, spec("Wide"))
    assert first.problems == []
    assert "takes 63 features" in second.problems[0][1]
    assert "KeyError: 'WIDTH'" in third.problems[0][1]


def test_one_that_hangs_is_ended(workdir: Path):
    deep = DeepCheck()
    deep.start([spec("Hanging")], workdir, None)
    ours = [p for p in psutil.process_iter(["ppid", "cmdline"]) if p.info["ppid"] == os.getpid()]
    (process,) = [p for p in ours if "fusionq.engine.checking" in (p.info["cmdline"] or ())]
    wait_until(lambda: (workdir / "reached").exists(), timeout_s=LONG_S, what="the constructor that hangs")
    assert deep.result(0.01) is None
    assert is_gone(process)


def test_it_is_possible_where_torch_is_installed(monkeypatch: pytest.MonkeyPatch):
    assert is_possible()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not is_possible()


def test_asking_needs_no_torch():
    script = "import sys, fusionq.queue.deep_check as d; d.is_possible(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
