"""A snapshot of the user's code, as it stands at the moment of the call.

What is read is kept in memory: what gets its digest is what is stored, whatever is edited meanwhile.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from fusionq.errors import UsageError
from fusionq.queue import git
from fusionq.queue.imported_files import imported_files
from fusionq.queue.outside_links import Entry, NotStoredError, follow
from fusionq.queue.tree import MOST_BYTES, MOST_FILES, File, digest_of, pack
from fusionq.spec.job import CodeSection
from fusionq.spec.secrets import is_secret_file
from fusionq.spec.units import format_bytes

MOST_LOOKED_AT = 200_000
WHAT_TO_DO = "leave files out with code.exclude, name a smaller folder in code.path, or write code: none"


class CodeTooLargeError(UsageError):
    """A folder is not to be stored as a whole; a job that needs none of it can do without."""


@dataclass(frozen=True)
class Snapshot:
    """The files of a folder, and where they stand in git (see `git.describe`)."""

    files: tuple[File, ...]
    provenance: dict[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()  # in words for the user

    @cached_property
    def digest(self) -> str:
        return digest_of(self.files)

    @property
    def num_files(self) -> int:
        return len(self.files)

    @property
    def num_bytes(self) -> int:
        return sum(len(file.content) for file in self.files)

    def archive(self) -> bytes:
        """What is stored; to be asked for only where it is not stored yet."""
        return pack(self.files)


def take(
    workdir: Path,
    code: CodeSection,
    leave_out: Sequence[Path] = (),
    data: Sequence[Path] = (),
    names: Sequence[str] = (),
) -> Snapshot:
    """Read the code's folder. Raises UsageError, CodeTooLargeError where it is beyond the limits.

    Of the folders `leave_out` nothing is taken; of those in `data` what git tracks, and modules. What
    `names`, the import paths of the job's objects, need is taken even where git ignores it.
    """
    folder = code_folder(workdir, code)
    rules = _Rules(folder, code.exclude, leave_out, data)
    return _read_all(folder, _list(folder, rules), rules, names, git.describe(folder, code.exclude))


def code_folder(workdir: Path, code: CodeSection) -> Path:
    """The folder that a job's own modules are imported from. Raises UsageError."""
    folder = (workdir / code.path).resolve()
    if not os.path.isdir(folder):
        raise UsageError(f"code.path: there is no folder {folder}", hint="it is seen from where you submit")
    if folder in (Path.home().resolve(), Path(folder.anchor)):
        raise CodeTooLargeError(f"{folder} is not stored with a job as a whole", hint=WHAT_TO_DO)
    return folder


# --- which files ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rules:
    folder: Path
    exclude: Sequence[str]
    leave_out: Sequence[Path]
    data: Sequence[Path]

    def take(self, path: str, is_tracked: bool) -> bool:
        if path in self._inside(self.leave_out) or is_excluded(path, self.exclude):
            return False
        parents = _beginnings(path)
        if any(parent in self._inside(self.leave_out) for parent in parents):
            return False
        is_data = any(parent in self._inside(self.data) for parent in parents)
        return is_tracked or not is_data or path.endswith(".py")

    def _inside(self, folders: Sequence[Path]) -> frozenset[str]:
        return self._relative[id(folders)]

    @cached_property
    def _relative(self) -> dict[int, frozenset[str]]:
        """The given folders seen from ours; one that is or holds ours says nothing about it."""
        found = {}
        for folders in (self.leave_out, self.data):
            inside = [other for each in folders if self.folder in (other := each.resolve()).parents]
            found[id(folders)] = frozenset(other.relative_to(self.folder).as_posix() for other in inside)
        return found


def is_excluded(path: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern fits the path, a folder above it, or (without a slash) any name in it."""
    beginnings, names = _beginnings(path), path.split("/")
    for pattern in patterns:
        bare = pattern.strip("/").removeprefix("**/")
        is_anywhere = "/" not in pattern.rstrip("/") or pattern.startswith("**/")
        if any(fnmatchcase(each, bare) for each in (*beginnings, *(names if is_anywhere else ()))):
            return True
    return False


def _beginnings(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _list(folder: Path, rules: _Rules) -> Iterator[str]:
    listed = git.list_files(folder)
    found = listed if listed is not None else ((path, False) for path in _walk(folder, rules))
    return (path for path, is_tracked in found if rules.take(path, is_tracked))


def _walk(folder: Path, rules: _Rules) -> Iterator[str]:
    """Without git: nothing hidden, no caches, no virtual environments."""
    looked_at = 0
    for place, folders, files in os.walk(folder):
        looked_at += len(files)
        if looked_at > MOST_LOOKED_AT:
            raise CodeTooLargeError(f"{folder} holds more than {MOST_LOOKED_AT} files", hint=WHAT_TO_DO)
        seen_from = os.path.relpath(place, folder)
        above = "" if seen_from == "." else f"{seen_from}/"
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        folders[:] = [
            name
            for name in sorted(folders)
            if name not in links and _is_code(place, name) and rules.take(f"{above}{name}", True)
        ]
        names = [name for name in (*files, *links) if not name.startswith(".") and not name.endswith(".pyc")]
        yield from (above + name for name in names)


def _is_code(place: str, name: str) -> bool:
    is_noise = name.startswith(".") or name == "__pycache__" or name.endswith(".egg-info")
    return not is_noise and not os.path.exists(os.path.join(place, name, "pyvenv.cfg"))


# --- what is in them -----------------------------------------------------------------------------


def _read_all(
    folder: Path, paths: Iterable[str], rules: _Rules, names: Sequence[str], provenance: dict[str, Any]
) -> Snapshot:
    notes: list[str] = []
    found: dict[str, Entry] = {}
    is_plain = cache(lambda above: os.path.realpath(folder / above) == str(folder / above))
    for path in paths:
        if is_plain(os.path.dirname(path)):  # else git lists it still, but its folder was replaced by a link
            found |= {entry.path: entry for entry in _entries(folder, path, rules, notes)}
    found |= {entry.path: entry for entry in _imported(folder, found, rules, names, notes)}
    entries = list(found.values())
    _check_limits(folder, entries)
    files = [file for entry in entries if (file := _read(entry))]
    return Snapshot(tuple(files), provenance, tuple(notes))


def _entries(folder: Path, path: str, rules: _Rules, notes: list[str]) -> Iterator[Entry]:
    """Yields what is to be stored for a path: itself, or what a link out of the folder leads to."""
    try:
        if is_secret_file(path):
            raise NotStoredError("by its name it holds secrets")
        status = os.lstat(folder / path)
        if stat.S_ISLNK(status.st_mode):
            yield from (entry for entry in follow(folder, path) if rules.take(entry.path, True))
        elif stat.S_ISREG(status.st_mode):
            yield Entry(path, folder / path, status)
        else:
            raise NotStoredError("it is not a file")
    except NotStoredError as error:
        notes.append(f"{path} is not stored with the job: {error.message}")
    except (FileNotFoundError, NotADirectoryError):
        return  # deleted, which git lists until it is committed
    except OSError as error:
        raise _unreadable(path, error) from error


def _imported(
    folder: Path, found: Mapping[str, Entry], rules: _Rules, names: Sequence[str], notes: list[str]
) -> Iterator[Entry]:
    """Yields modules that the job imports and git ignores; notes those that the rules keep out."""
    folders = tuple(f"{path}/" for path, entry in found.items() if entry.link)
    for path in imported_files(folder, names):
        if path in found or path.startswith(folders):
            continue
        if not rules.take(path, True):
            notes.append(f"{path} is not stored with the job, which imports it: code.exclude leaves it out")
            continue
        for entry in _entries(folder, path, rules, notes):
            notes.append(f"{path} is stored with the job, which imports it, although git ignores it")
            yield entry


def _check_limits(folder: Path, found: Sequence[Entry]) -> None:
    total = sum(entry.status.st_size for entry in found)
    if total <= MOST_BYTES and len(found) <= MOST_FILES:
        return
    largest = sorted(found, key=lambda entry: -entry.status.st_size)[:3]
    shown = ", ".join(f"{entry.path} ({format_bytes(entry.status.st_size)})" for entry in largest)
    raise CodeTooLargeError(
        f"{folder} holds {format_bytes(total)} in {len(found)} files, more than the "
        f"{format_bytes(MOST_BYTES)} in {MOST_FILES} files that are stored with a job; largest: {shown}",
        hint=WHAT_TO_DO,
    )


def _read(entry: Entry) -> File | None:
    if entry.link:
        return File(entry.path, os.fsencode(entry.link), is_link=True)
    try:
        with open(entry.source, "rb") as handle:
            content = handle.read(MOST_BYTES + 1)  # it may have grown since it was measured
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(entry.path, error) from error
    return File(entry.path, content, is_executable=bool(entry.status.st_mode & stat.S_IXUSR))


def _unreadable(path: str, error: OSError) -> UsageError:
    return UsageError(
        f"{path} cannot be stored with the job: {error.strerror}", hint="leave it out with code.exclude"
    )
