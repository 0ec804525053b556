"""Folders of code, with and without git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WHO = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "protocol.file.allow=always")


def write(folder: Path, *paths: str, content: str = "") -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content or f"# {path}\n")


def git(folder: Path, *arguments: str) -> str:
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", "-C", str(folder), *WHO, *arguments], env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_repository(folder: Path, *tracked: str, ignore: str = "") -> Path:
    """A repository with one commit of these files, on the branch `trunk`."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "trunk")
    write(folder, *tracked)
    if ignore:
        write(folder, ".gitignore", content=ignore)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


@contextmanager
def without_git() -> Iterator[None]:
    """As on a machine that has no git."""
    before = os.environ["PATH"]
    os.environ["PATH"] = "/nowhere"
    try:
        yield
    finally:
        os.environ["PATH"] = before
