"""The deep check as a process of its own: its answer comes whatever a user's code does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
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
model: {{_target_: {module}.{name}}}
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


NAMES = ("Flat", "Printing", "Threading", "Exiting", "Asking", "Missing", "Dying", "Counting", "Counting")
OTHER_MODULES = ("leaving", "broken")
WIDTHS = ("64", "63", "")


def write_modules(folder: Path) -> None:
    (folder / "own.py").write_text(OWN)
    (folder / "random.py").write_text("raise RuntimeError('the wrong module')")
    (folder / "leaving.py").write_text("import sys; sys.exit(1)")
    (folder / "wide.py").write_text(WIDE)
    (folder / "broken.py").write_text("1 / 0")


def spec(name: str, module: str = "own", env: Mapping[str, str] | None = None) -> JobSpec:
    return from_yaml(JOB.format(module=module, name=name)).model_copy(update={"env": dict(env or {})})


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Verdict]]:
    """The verdicts by name, in their order: one process, which is slow to start, checks all jobs."""
    folder = tmp_path_factory.mktemp("modules")
    write_modules(folder)
    specs = [(name, spec(name)) for name in NAMES]
    specs += [(module, spec("x", module)) for module in OTHER_MODULES]
    specs += [("Wide", spec("Wide", env={"WIDTH": width} if width else {})) for width in WIDTHS]
    deep = DeepCheck()
    deep.start([one for _, one in specs], folder, None)
    answers = deep.result(LONG_S)
    assert answers is not None
    found: dict[str, list[Verdict]] = {}
    for (name, _), verdict in zip(specs, answers, strict=True):
        found.setdefault(name, []).append(verdict)
    return found


def test_every_job_gets_its_verdict_whatever_its_code_does(verdicts: Mapping[str, list[Verdict]]):
    flat, printing, threading, exiting, asking, missing = (verdicts[name][0] for name in NAMES[:6])
    assert flat.problems == flat.notes == []
    assert flat.estimate["parameters"] == 650
    assert printing == threading == flat
    assert exiting.problems == [(("model",), "model: Exiting: SystemExit: enough")]
    assert asking.problems == [(("model",), "model: Asking: EOFError: EOF when reading a line")]
    assert missing.problems[0][0] == ("model",)
    assert "own has no 'Missing'" in missing.problems[0][1]


def test_a_module_that_leaves_or_fails_is_a_problem(verdicts: Mapping[str, list[Verdict]]):
    one, other = (verdicts[module][0] for module in OTHER_MODULES)
    assert one.problems == [(("model",), "model: importing leaving.x ends the process (SystemExit)")]
    assert other.problems == [(("model",), "model: importing broken.x: ZeroDivisionError: division by zero")]


def test_a_process_that_dies_is_a_note_for_its_job_alone(verdicts: Mapping[str, list[Verdict]]):
    assert verdicts["Flat"][0].notes == []
    said = "it ended without an answer (about to die)"
    assert verdicts["Dying"] == [Verdict(notes=[f"the deep check gave no answer: {said}"])]


def test_what_one_job_keeps_no_other_job_finds(verdicts: Mapping[str, list[Verdict]]):
    assert [verdict.problems for verdict in verdicts["Counting"]] == [[], []]


def test_a_job_is_checked_in_its_environment(verdicts: Mapping[str, list[Verdict]]):
    first, second, third = verdicts["Wide"]
    assert first.problems == []
    assert "takes 63 features" in second.problems[0][1]
    assert "KeyError: 'WIDTH'" in third.problems[0][1]


def test_one_that_hangs_is_ended(tmp_path: Path):
    write_modules(tmp_path)
    deep = DeepCheck()
    deep.start([spec("Hanging")], tmp_path, None)
    ours = [p for p in psutil.process_iter(["ppid", "cmdline"]) if p.info["ppid"] == os.getpid()]
    (process,) = [p for p in ours if "fusionq.engine.checking" in (p.info["cmdline"] or ())]
    wait_until(lambda: (tmp_path / "reached").exists(), timeout_s=LONG_S, what="the constructor that hangs")
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
