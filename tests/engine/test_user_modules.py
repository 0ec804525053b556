"""Whose module a name means. Each case has a fork of its own: what it imports must not stay here."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path

import pytest

from fusionq.engine.build import find_target
from fusionq.engine.user_modules import import_from


def find(folder: Path, target: str, loaded: str = "") -> str:
    """What `target` is where the user's modules are in `folder`, and something was `loaded` before."""
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            for module in loaded.split():
                importlib.import_module(module)
            import_from([str(folder)])
            answer = repr(find_target(target, "trainer"))
        except BaseException as error:
            answer = str(error)
        os.write(write, json.dumps(answer).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as handle:
        answer = json.load(handle)
    os.wait()
    return answer


@pytest.mark.parametrize("loaded", ["", "redis redis.client"])
def test_what_is_loaded_by_accident_gives_way_to_the_users(tmp_path: Path, loaded: str):
    (tmp_path / "redis.py").write_text("Slow = 'own'")
    assert find(tmp_path, "redis.Slow", loaded) == "'own'"


@pytest.mark.parametrize("loaded", ["", "graphlib"])
@pytest.mark.parametrize(("name", "owner"), [("torch", "fusionq"), ("graphlib", "Python")])
def test_what_can_never_be_the_users_is_said_whatever_is_loaded(
    tmp_path: Path, name: str, owner: str, loaded: str
):
    (tmp_path / f"{name}.py").write_text("Slow = 1")
    words = f"your own module {name} has the name of one that {owner} needs; rename yours"
    assert find(tmp_path, f"{name}.Slow", loaded).endswith(words)


def test_a_folder_of_files_is_no_module(tmp_path: Path):
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "dump.rdb").touch()
    assert find(tmp_path, "redis.Redis", "redis") == "<class 'redis.client.Redis'>"


def test_a_module_of_the_users_beside_one_of_ours_does_no_harm(tmp_path: Path):
    (tmp_path / "fusionq.py").write_text("raise SystemExit")
    assert find(tmp_path, "fusionq.Flatten").startswith("<class 'fusionq.")
