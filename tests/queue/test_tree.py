"""Archives: the same files give the same bytes, and nothing evil comes out of one."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
from collections.abc import Callable

import pytest

from fusionq.queue import tree
from fusionq.queue.tree import ArchiveError, File, digest_of, pack, unpack

FILES = [
    File("a.py", b"A = 1\n"),
    File("run.sh", b"#!/bin/sh\n", is_executable=True),
    File("pkg/b.py", b""),
    File("pkg/link.py", b"../a.py", is_link=True),
    File("ä ö.py", b"\xff\x00"),
    File(os.fsdecode(b"not-\xff-utf8.py"), b"1"),
    File("deep/" + "n" * 200 + "/" + "m" * 200 + ".py", b"2"),
]


def test_what_is_packed_comes_out_again():
    assert sorted(unpack(pack(FILES)), key=lambda file: file.path) == sorted(
        FILES, key=lambda file: file.path
    )
    assert unpack(pack([])) == []


def test_neither_digest_nor_archive_depends_on_the_order():
    shuffled = random.Random(3).sample(FILES, len(FILES))
    assert digest_of(shuffled) == digest_of(FILES)
    assert pack(shuffled) == pack(FILES)


def test_the_digest_is_pinned():
    assert digest_of([File("a.py", b"A = 1\n")]) == (
        "3e602eeafee0d1e2514cee2d3b233e6cf66f06173eaa98ef8d29d76bb58b8263"
    )


@pytest.mark.parametrize(
    "other",
    [
        File("b.py", b"A = 1\n"),
        File("a.py", b"A = 2\n"),
        File("a.py", b"A = 1\n", is_executable=True),
        File("a.py", b"A = 1\n", is_link=True),
    ],
)
def test_the_digest_depends_on_name_content_and_kind(other: File):
    assert digest_of([other]) != digest_of([File("a.py", b"A = 1\n")])


# --- what no honest archive holds ------------------------------------------------------------------


def archive(*members: tarfile.TarInfo, content: bytes = b"x") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for member in members:
            is_file = member.type == tarfile.REGTYPE
            member.size = len(content) if is_file else 0
            tar.addfile(member, io.BytesIO(content) if is_file else None)
    return gzip.compress(stream.getvalue())


def member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


EVIL: dict[str, tuple[tarfile.TarInfo, ...]] = {
    "absolute": (member("/etc/evil"),),
    "parent": (member("../evil"),),
    "parent later": (member("a/../../evil"),),
    "hidden parent": (member("a/../evil"),),
    "dot": (member("./evil"),),
    "the folder itself": (member("."),),
    "no name": (member(""),),
    "double slash": (member("a//evil"),),
    "link to absolute": (member("a", tarfile.SYMTYPE, "/etc/passwd"),),
    "link to parent": (member("a", tarfile.SYMTYPE, "../evil"),),
    "link to parent from below": (member("a/b", tarfile.SYMTYPE, "../../evil"),),
    "hard link": (member("a"), member("b", tarfile.LNKTYPE, "a")),
    "hard link to outside": (member("b", tarfile.LNKTYPE, "/etc/passwd"),),
    "character device": (member("a", tarfile.CHRTYPE),),
    "block device": (member("a", tarfile.BLKTYPE),),
    "fifo": (member("a", tarfile.FIFOTYPE),),
    "folder": (member("a", tarfile.DIRTYPE),),
    "write through a link": (member("a", tarfile.SYMTYPE, "b"), member("a/evil")),
    "link after what lies below it": (member("a/evil"), member("a", tarfile.SYMTYPE, "b")),
    "below a file": (member("a"), member("a/b")),
    "twice": (member("a"), member("a")),
    "file and link of one name": (member("a", tarfile.SYMTYPE, "b"), member("a")),
}


@pytest.mark.parametrize("kind", EVIL)
def test_an_evil_archive_is_refused(kind: str):
    with pytest.raises(ArchiveError, match="the archive"):
        unpack(archive(*EVIL[kind]))


def sparse() -> bytes:
    """A file of the old GNU kind that says of itself that it has a terabyte."""
    info = member("a")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"\x80" + (2**40).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + bytes(1024))


def long_names_without_end() -> bytes:
    """Each header only announces the next one."""
    info = member("././@LongLink")
    info.type = tarfile.GNUTYPE_LONGNAME
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) * 5000)


def cut_off() -> bytes:
    return pack(FILES)[:-20]


def turned_over() -> bytes:
    whole = bytearray(pack(FILES))
    whole[len(whole) // 2] ^= 0xFF
    return bytes(whole)


def cut_off_inside() -> bytes:
    return gzip.compress(gzip.decompress(pack([File("a", b"x" * 5000)]))[:3000])


@pytest.mark.parametrize(
    "make",
    [sparse, long_names_without_end, cut_off, turned_over, cut_off_inside, bytes, lambda: b"no archive"],
)
def test_a_damaged_archive_is_refused(make: Callable[[], bytes]):
    with pytest.raises(ArchiveError, match="the archive"):
        unpack(make())


def test_a_bomb_is_not_unfolded(monkeypatch: pytest.MonkeyPatch):
    bomb = gzip.compress(bytes(20_000_000))
    assert len(bomb) < 30_000
    monkeypatch.setattr(tree, "MOST_BYTES", 100_000)
    monkeypatch.setattr(tree, "MOST_FILES", 10)
    with pytest.raises(ArchiveError, match="more than"):
        unpack(bomb)


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch):
    many = archive(*(member(f"f{number}") for number in range(11)))
    monkeypatch.setattr(tree, "MOST_FILES", 10)
    with pytest.raises(ArchiveError, match="more than 10 files"):
        unpack(many)
