"""The command line starts fast: what a verb does not need is not loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fusionq.spec.settings import ENV_REDIS_URL
from fusionq.store.store import Store

HEAVY = (
    "torch",
    "torchvision",
    "numpy",
    "celery",
    "kombu",
    "pydantic",
    "redis",
    "rich",
    "fusionq.worker",
    "yaml",
)

LOOK = f"""
import sys
from fusionq.cli.app import run
try:
    run(sys.argv[1:])
except SystemExit as leaving:
    print("\\nloaded:", *[name for name in {HEAVY!r} if name in sys.modules])
    raise
"""


def loaded_by(*arguments: str, code: int = 0, script: str = LOOK) -> set[str]:
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return set(done.stdout.rpartition("loaded:")[2].split())


@pytest.fixture
def redis_url(home: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_REDIS_URL, store.url)


def test_the_package_alone_loads_nothing():
    script = f"import sys, fusionq; print('loaded:', *[n for n in {HEAVY!r} if n in sys.modules])"
    assert loaded_by(script=script) == set()


def test_the_help_loads_nothing():
    assert loaded_by("--help") == set()
    assert loaded_by("--version") == set()


@pytest.mark.parametrize("verb", ["status", "logs", "submit", "run", "worker", "cancel", "init", "schema"])
def test_the_help_of_a_verb_loads_neither_torch_nor_celery_nor_pydantic(verb: str):
    assert not loaded_by(verb, "--help") & {"torch", "celery", "kombu", "pydantic", "numpy", "fusionq.worker"}


@pytest.mark.usefixtures("redis_url")
def test_status_loads_redis_and_nothing_larger():
    assert loaded_by("status") == {"redis"}


@pytest.mark.usefixtures("redis_url")
def test_submit_needs_no_torch(tmp_path: Path):
    file = Path(__file__).parents[2] / "jobs" / "digits.yaml"
    assert not loaded_by("submit", str(file)) & {"torch", "torchvision", "numpy", "fusionq.worker"}


def test_init_and_schema_need_neither_a_queue_nor_torch(tmp_path: Path):
    unneeded = {"torch", "torchvision", "numpy", "celery", "kombu", "redis", "fusionq.worker"}
    assert not loaded_by("init", str(tmp_path / "job.yaml")) & unneeded
    assert not loaded_by("schema", "-o", str(tmp_path / "schema.json")) & unneeded


def test_the_command_is_there_as_a_module_too():
    done = subprocess.run(
        [sys.executable, "-m", "fusionq", "--version"], capture_output=True, text=True, env=os.environ
    )
    assert done.stdout.startswith("fusionq, version ")
