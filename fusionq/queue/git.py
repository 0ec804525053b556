"""What git knows of a folder: which files are the work, and where the work stands."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fusionq.spec.secrets import SECRET_PATTERNS

TIMEOUT_S = 20.0
MOST_DIFF_BYTES = 1_000_000
CUT = "\n[the rest of the diff is left out]\n"
# A hook of git's own sets these for what it calls; the folder decides which repository is meant.
_MISLEADING = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


def list_files(folder: Path) -> list[tuple[str, bool]] | None:
    """Tracked files and untracked ones that are not ignored, each with whether it is tracked.

    None where the folder is in no work tree, or is ignored itself. Submodules and other repositories
    within are listed by their own rules.
    """
    listed = _run(folder, "ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard")
    if listed is None:
        return None
    if not listed and _run(folder, "check-ignore", "-q", str(folder.resolve())) is not None:
        return None
    found: dict[str, bool] = {}
    for entry in map(os.fsdecode, filter(None, listed.split(b"\0"))):
        tag, path = entry[0], entry[2:].rstrip("/")
        found[path] = tag != "?"
    return [each for path, is_tracked in found.items() for each in _look_inside(folder, path, is_tracked)]


def _look_inside(folder: Path, path: str, is_tracked: bool) -> list[tuple[str, bool]]:
    inner = folder / path
    if not inner.is_dir() or inner.is_symlink():
        return [(path, is_tracked)]
    if not (inner / ".git").exists():  # a submodule that was never fetched
        return []
    return [(f"{path}/{name}", tracked) for name, tracked in list_files(inner) or ()]


def describe(folder: Path, exclude: Sequence[str] = ()) -> dict[str, Any]:
    """`commit`, `branch`, `dirty` and `diff` (what differs from the commit, but for `exclude`), or {}.

    Remotes are not told: their addresses may hold a password.
    """
    status = _run(folder, "status", "--porcelain=v2", "--branch", "-z")
    if status is None:
        return {}
    lines = status.decode(errors="replace").split("\0")
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    changes = [line for line in lines if line and not line.startswith("#")]
    commit = heads.get("branch.oid", "(initial)")
    branch = heads.get("branch.head", "(detached)")
    is_changed = any(not line.startswith("?") for line in changes)
    return {
        "commit": "" if commit == "(initial)" else commit,
        "branch": "" if branch == "(detached)" else branch,
        "dirty": bool(changes),
        "diff": _diff(folder, exclude) if is_changed and commit != "(initial)" else "",
    }


def _diff(folder: Path, exclude: Sequence[str]) -> str:
    patterns = (*exclude, *SECRET_PATTERNS)
    left_out = [f":(exclude,glob){form}" for pattern in patterns for form in _as_globs(pattern)]
    plain = ("--no-color", "--no-ext-diff", "--no-textconv")
    diff = _run(folder, "diff", *plain, "HEAD", "--", ":/", *left_out) or b""
    is_cut = len(diff) >= MOST_DIFF_BYTES
    return diff.decode(errors="replace") + (CUT if is_cut else "")


def _as_globs(pattern: str) -> tuple[str, ...]:
    bare = pattern.strip("/")
    depth = "" if "/" in pattern.rstrip("/") else "**/"
    return (f"{depth}{bare}", f"{depth}{bare}/**")


def _run(folder: Path, *arguments: str) -> bytes | None:
    """The first MOST_DIFF_BYTES of a diff, all of any other answer; None where git has none."""
    environ = {key: value for key, value in os.environ.items() if key not in _MISLEADING}
    environ["GIT_OPTIONAL_LOCKS"] = "0"
    # Into a file: what is not wanted of a huge diff is never in memory.
    with tempfile.TemporaryFile() as answer:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                timeout=TIMEOUT_S,
                env=environ,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        answer.seek(0)
        limit = MOST_DIFF_BYTES if arguments[0] == "diff" else -1
        return answer.read(limit) if done.returncode == 0 else None
