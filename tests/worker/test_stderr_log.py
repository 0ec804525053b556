"""A log line that cannot be written harms nobody."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator

import pytest

from fusionq.worker.stderr_log import StderrHandler, write_if_possible


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass


def fill(writer: int) -> int:
    """Until nothing more fits. Returns how many bytes it took."""
    written = 0
    while write_if_possible(writer, b"x" * 4096):
        written += 4096
    return written


def record(text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("fusionq", logging.INFO, "file", 1, text, arguments, None)


def within(seconds: float, act) -> None:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(timeout=seconds)
    assert not thread.is_alive(), "it blocks"


def test_what_is_read_is_written(pipe: tuple[int, int]):
    reader, writer = pipe
    StderrHandler(writer).emit(record("started %d", 7))
    assert os.read(reader, 100).endswith(b" I started 7\n")


def test_a_reader_that_is_gone_is_no_error(pipe: tuple[int, int]):
    reader, writer = pipe
    os.close(reader)
    StderrHandler(writer).emit(record("started"))
    assert not write_if_possible(writer, b"text")


def test_a_closed_stderr_is_no_error(pipe: tuple[int, int]):
    _, writer = pipe
    os.close(writer)
    StderrHandler(writer).emit(record("started"))


def test_a_reader_that_stands_still_blocks_nobody_and_hears_later_what_was_dropped(pipe: tuple[int, int]):
    reader, writer = pipe
    size = fill(writer)
    handler = StderrHandler(writer)
    within(30, lambda: [handler.emit(record("lost")) for _ in range(3)])
    assert len(os.read(reader, size)) == size
    handler.emit(record("heard"))
    first, second = os.read(reader, 1000).splitlines()
    assert first == b"(3 lines of this log could not be written)"
    assert second.endswith(b"heard")


def test_a_message_that_cannot_be_formatted_is_written_as_it_is(pipe: tuple[int, int]):
    reader, writer = pipe
    StderrHandler(writer).emit(record("%d jobs", "no number"))
    assert b"'%d jobs'" in os.read(reader, 1000)
