"""The output log keeps its beginning and its end, says what is missing, and its offsets stay true."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from fusionq.spec import output_log
from fusionq.spec.output_log import OutputLog, shorten

LIMIT = 10_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


def lines(first: int, last: int) -> bytes:
    """Ten bytes each, so that line N begins at offset 10 * N."""
    return b"".join(b"%09d\n" % number for number in range(first, last))


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def whole(log: OutputLog) -> list[tuple[int, bytes]]:
    """All that can be read, as pieces with their offsets."""
    pieces, offset = [], 0
    while (piece := log.read(offset, 3_000))[1]:
        pieces.append(piece)
        offset = piece[0] + len(piece[1])
    return pieces


def test_a_small_log_is_left_as_it_is(path: Path):
    append(path, lines(0, 900))
    with OutputLog(path, LIMIT) as log:
        assert not log.shorten()
        assert log.end == 9_000
        assert b"".join(data for _, data in whole(log)) == lines(0, 900)


@pytest.mark.parametrize("is_opened_anew", [False, True])
def test_head_and_tail_stay_where_they_were_however_often_it_is_cut(path: Path, is_opened_anew: bool):
    append(path, b"")
    log = OutputLog(path, LIMIT)
    for first in range(0, 20_000, 700):
        append(path, lines(first, first + 700))
        if is_opened_anew:
            log = OutputLog(path, LIMIT)
        log.shorten()
        assert path.stat().st_size <= LIMIT + 7_000
    printed = lines(0, 20_300)
    assert log.end == len(printed)
    for offset, data in whole(log):
        assert printed[offset : offset + len(data)] == data
    text = path.read_bytes()
    assert text.startswith(printed[: LIMIT // 2])
    assert text.endswith(printed[-LIMIT // 4 :])
    at, _ = log.read(LIMIT // 2, 10)
    assert f"[fusionq: {at - LIMIT // 2:>20,} bytes of output are missing here".encode() in text


@pytest.mark.parametrize("limit", [1_000, LIMIT // 2, LIMIT, 10 * LIMIT])
def test_offsets_stay_true_where_the_limit_is_another_from_now_on(path: Path, limit: int):
    append(path, lines(0, 2_000))
    shorten(path, LIMIT)
    append(path, lines(2_000, 2_010))
    with OutputLog(path, limit) as log:
        log.shorten()
        assert path.stat().st_size <= max(limit, LIMIT)
        append(path, lines(2_010, 9_000))
        log.shorten()
        printed = lines(0, 9_000)
        assert log.end == len(printed)
        for offset, data in whole(log):
            assert printed[offset : offset + len(data)] == data
    assert path.stat().st_size <= limit
    assert path.read_bytes().endswith(printed[-limit // 4 :][-20_000:])


def test_who_prints_goes_on_behind_the_cut(path: Path):
    with path.open("ab", buffering=0) as job:
        job.write(lines(0, 2_000))
        shorten(path, LIMIT)
        job.write(b"last\n")
    assert path.stat().st_size < LIMIT
    assert path.read_bytes().endswith(lines(1_900, 2_000) + b"last\n")


def test_a_process_that_prints_without_end_does_not_hold_it_up(path: Path, monkeypatch: pytest.MonkeyPatch):
    append(path, lines(0, 2_000))
    pread = os.pread
    monkeypatch.setattr(output_log, "_COPY_BYTES", 100)

    def also_printing(descriptor: int, count: int, offset: int) -> bytes:
        append(path, lines(0, 100))
        return pread(descriptor, count, offset)

    monkeypatch.setattr(output_log.os, "pread", also_printing)
    done = threading.Thread(target=shorten, args=(path, LIMIT), daemon=True)
    done.start()
    done.join(timeout=30)
    assert not done.is_alive()
    assert path.stat().st_size <= LIMIT + 1_000


def test_a_log_that_is_not_there_yet_is_no_mistake(path: Path):
    shorten(path, LIMIT)
    assert not path.exists()
