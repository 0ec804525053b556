"""A folder's files as one value: its digest, and the archive in which it travels.

The digest is over names, kinds and contents alone: the same files have the same digest on any machine.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import posixpath
import tarfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fusionq.errors import FusionqError
from fusionq.spec.units import format_bytes

MOST_BYTES = 50_000_000
MOST_FILES = 10_000
_MOST_HEADER_BYTES = 4096  # of one member: names of usual length, and the padding of its content
_AS_GZIP = 16 + zlib.MAX_WBITS


class ArchiveError(FusionqError):
    """An archive of code is damaged, or holds what no honest one holds."""


@dataclass(frozen=True)
class File:
    """One file. The content of a link is where it leads to, seen from its own folder."""

    path: str
    content: bytes
    is_executable: bool = False
    is_link: bool = False


def digest_of(files: Iterable[File]) -> str:
    """What names these files, whatever their order."""
    whole = hashlib.sha256()
    for line in sorted(map(_line, files)):
        whole.update(line)
    return whole.hexdigest()


def _line(file: File) -> bytes:
    kind = b"l" if file.is_link else b"x" if file.is_executable else b"f"
    # A name cannot hold a zero byte, so no two lists of files look the same.
    return os.fsencode(file.path) + b"\0" + kind + hashlib.sha256(file.content).digest()


def pack(files: Iterable[File]) -> bytes:
    """The archive: the same files give the same bytes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in sorted(files, key=lambda file: file.path):
            member = tarfile.TarInfo(file.path)
            member.mode = 0o755 if file.is_executable else 0o644
            if file.is_link:
                member.type, member.linkname = tarfile.SYMTYPE, os.fsdecode(file.content)
                tar.addfile(member)
            else:
                member.size = len(file.content)
                tar.addfile(member, io.BytesIO(file.content))
    return gzip.compress(stream.getvalue(), compresslevel=6, mtime=0)


def unpack(archive: bytes) -> list[File]:
    """The files of an archive, with nothing written anywhere. Raises ArchiveError.

    Only plain files and links are read, within the limits, and none that lies or leads outside; nothing
    lies twice, or below a file or a link.
    """
    files = _read_archive(archive)
    _check_places([file.path for file in files])
    return files


def _read_archive(archive: bytes) -> list[File]:
    try:
        with tarfile.open(fileobj=io.BytesIO(_decompress(archive)), mode="r:") as tar:
            members = []
            for member in tar:
                members.append(member)
                _check_limits(members)
            return [_read(tar, member) for member in members]
    except ArchiveError:
        raise
    except Exception as error:  # the bytes may be anybody's, and there is no list of what tarfile raises
        raise ArchiveError(f"the archive is damaged: {error}") from error


def _decompress(archive: bytes) -> bytes:
    most = MOST_BYTES + MOST_FILES * _MOST_HEADER_BYTES
    reader = zlib.decompressobj(_AS_GZIP)
    data = reader.decompress(archive, most + 1)
    if len(data) > most:
        raise ArchiveError(f"the archive holds more than {format_bytes(MOST_BYTES)}")
    if not reader.eof:
        raise ArchiveError("the archive is damaged: it is cut off")
    return data


def _check_limits(members: Sequence[tarfile.TarInfo]) -> None:
    if len(members) > MOST_FILES:
        raise ArchiveError(f"the archive holds more than {MOST_FILES} files")
    # A sparse member says of itself that it is larger than what is stored of it.
    if members[-1].size > MOST_BYTES:
        raise ArchiveError(f"the archive holds more than {format_bytes(MOST_BYTES)}")


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> File:
    path = member.name
    _check_inside(path, path)
    if posixpath.normpath(path) != path or path == ".":
        raise ArchiveError(f"the archive holds {path!r}, which has another name too")
    if member.type == tarfile.SYMTYPE:
        # Join leaves an absolute target as it is.
        _check_inside(posixpath.join(posixpath.dirname(path), member.linkname), path)
        return File(path, os.fsencode(member.linkname), is_link=True)
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        raise ArchiveError(f"the archive holds {path!r}, which is neither a file nor a link")
    content = tar.extractfile(member)
    assert content is not None
    return File(path, content.read(), is_executable=bool(member.mode & 0o100))


def _check_inside(path: str, shown: str) -> None:
    is_outside = posixpath.isabs(path) or posixpath.normpath(path).split("/")[0] == ".."
    if is_outside or not path or "\0" in path:
        raise ArchiveError(f"the archive holds {shown!r}, which lies or leads outside")


def _check_places(paths: Sequence[str]) -> None:
    """What lies below a link would be written wherever the link leads."""
    taken = set(paths)
    if len(taken) < len(paths):
        raise ArchiveError("the archive holds a file twice")
    for path in paths:
        above = posixpath.dirname(path)
        while above:
            if above in taken:
                raise ArchiveError(f"the archive holds {path!r} below what is no folder")
            above = posixpath.dirname(above)
