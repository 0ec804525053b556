"""What a job prints reaches the log stream whole, in order, and once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fusionq.errors import StoreUnavailableError
from fusionq.store.store import Store
from fusionq.worker import log_forwarder as log_pump
from fusionq.worker.log_forwarder import LogPump


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


@pytest.fixture
def clock(stop_clock: Callable) -> Callable[[float], None]:
    """Moves the pump's time on."""
    return stop_clock(log_pump)


def say(path: Path, data: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(data.encode() if isinstance(data, str) else data)


def told(store: Store) -> str:
    return "".join(chunk.text for chunk in store.streams.log("job"))


def offsets(store: Store) -> list[tuple[int, int]]:
    return [(chunk.start, chunk.end) for chunk in store.streams.log("job")]


class Unsteady:
    """Streams with outages."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_down = False
        self.calls = 0

    def log_end(self, job_id: str) -> int:
        return self._store.streams.log_end(job_id)

    def append_log(self, *chunk, **more) -> None:
        self.calls += 1
        if self.is_down:
            raise StoreUnavailableError("gone")
        self._store.streams.append_log(*chunk, **more)


def test_what_is_printed_is_carried_over_with_its_offsets(store: Store, path: Path):
    pump = LogPump(path, store.streams, "job", 2)
    say(path, "one\n")
    pump.pump()
    say(path, "zwölf\n")
    pump.pump()
    assert told(store) == "one\nzwölf\n"
    assert offsets(store) == [(0, 4), (4, 11)]
    assert {chunk.attempt for chunk in store.streams.log("job")} == {2}
    pump.close()


def test_silence_sends_nothing(store: Store, path: Path):
    pump = LogPump(path, store.streams, "job", 1)
    pump.pump()
    pump.finish()
    assert offsets(store) == []
    pump.close()


def test_a_line_is_shown_before_it_is_whole(store: Store, path: Path):
    pump = LogPump(path, store.streams, "job", 1)
    say(path, "epoch 1 ")
    pump.pump()
    assert told(store) == "epoch 1 "
    say(path, "done\n")
    pump.pump()
    assert told(store) == "epoch 1 done\n"
    pump.close()


@pytest.mark.parametrize("character", ["ö", "€", "🙂"])
def test_a_character_that_comes_in_pieces_is_put_together(store: Store, path: Path, character: str):
    pump = LogPump(path, store.streams, "job", 1)
    for byte in f"a{character}b".encode():
        say(path, bytes([byte]))
        pump.pump()
    assert told(store) == f"a{character}b"
    pump.close()


def test_a_character_across_the_edge_of_two_reads_is_put_together(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(log_pump, "CHUNK_BYTES", 3)
    text = "aöb€c🙂d" * 5
    pump = LogPump(path, store.streams, "job", 1)
    say(path, text)
    pump.pump()
    assert told(store) == text
    starts, ends = zip(*offsets(store), strict=True)
    assert starts == (0, *ends[:-1])
    assert ends[-1] == len(text.encode())
    pump.close()


def test_bytes_that_are_no_text_do_not_stop_it(store: Store, path: Path):
    pump = LogPump(path, store.streams, "job", 1)
    say(path, b"a\xff\xfeb\n")
    pump.pump()
    assert told(store) == "a��b\n"
    pump.close()


def test_a_large_output_arrives_whole(store: Store, path: Path):
    text = "".join(f"line {number}\n" for number in range(40_000))
    pump = LogPump(path, store.streams, "job", 1)
    say(path, text)
    pump.finish()
    assert told(store) == text
    pump.close()


def test_after_an_outage_nothing_is_lost_or_repeated(store: Store, path: Path, clock: Callable):
    streams = Unsteady(store)
    pump = LogPump(path, streams, "job", 1)
    say(path, "before\n")
    pump.pump()
    streams.is_down = True
    say(path, "dürin".encode()[:2])  # the outage comes in the middle of a character
    pump.pump()
    say(path, "dürin".encode()[2:])
    clock(2)
    pump.pump()
    streams.is_down = False
    clock(2)
    pump.pump()
    assert told(store) == "before\ndürin"
    pump.close()


def test_a_piece_whose_answer_was_lost_is_sent_again_as_it_was(store: Store, path: Path, clock: Callable):
    class Deaf(Unsteady):
        """What is sent arrives, and nobody hears that it did."""

        def append_log(self, *chunk, **more) -> None:
            self._store.streams.append_log(*chunk, **more)
            if self.is_down:
                raise StoreUnavailableError("no answer")

    streams = Deaf(store)
    streams.is_down = True
    pump = LogPump(path, streams, "job", 1)
    say(path, "one\n")
    pump.pump()
    streams.is_down = False
    say(path, "two\n")
    clock(2)
    pump.pump()
    assert offsets(store) == [(0, 4), (0, 4), (4, 8)]
    pump.close()


def test_during_an_outage_it_tries_only_once_a_second(store: Store, path: Path, clock: Callable):
    streams = Unsteady(store)
    streams.is_down = True
    pump = LogPump(path, streams, "job", 1)
    say(path, "text")
    for _ in range(5):
        pump.pump()
    assert streams.calls == 1
    clock(1.01)
    pump.pump()
    assert streams.calls == 2
    pump.close()


def test_the_end_is_told_whether_the_rest_arrived(store: Store, path: Path):
    streams = Unsteady(store)
    streams.is_down = True
    pump = LogPump(path, streams, "job", 1)
    say(path, "last words")
    with pytest.raises(StoreUnavailableError):
        pump.finish()
    streams.is_down = False
    pump.finish()
    assert told(store) == "last words"
    pump.close()


def test_a_new_attempt_does_not_repeat_what_the_one_before_printed(store: Store, path: Path):
    first = LogPump(path, store.streams, "job", 1)
    say(path, "first\n")
    first.finish()
    first.close()
    second = LogPump(path, store.streams, "job", 2)
    say(path, "second\n")
    second.finish()
    second.close()
    assert [(c.attempt, c.start, c.text) for c in store.streams.log("job")] == [
        (1, 0, "first\n"),
        (2, 6, "second\n"),
    ]


def test_a_new_attempt_carries_over_what_a_killed_one_could_not_send(store: Store, path: Path):
    say(path, "sent\n")
    first = LogPump(path, store.streams, "job", 1)
    first.pump()
    first.close()
    say(path, "not sent\n")
    second = LogPump(path, store.streams, "job", 2)
    say(path, "new\n")
    second.pump()
    second.close()
    assert told(store) == "sent\nnot sent\nnew\n"


LINES = "".join(f"{number:07}\n" for number in range(10 * log_pump.CHUNK_BYTES // 8))


def test_of_a_loud_job_the_stream_keeps_what_it_said_last(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(log_pump, "LOG_BYTES", 3 * log_pump.CHUNK_BYTES)
    pump = LogPump(path, store.streams, "job", 1)
    say(path, LINES[:1000])
    pump.finish()
    say(path, LINES[1000:])
    pump.finish()
    pump.close()
    chunks = list(store.streams.log("job"))
    assert len(chunks) == 3
    assert LINES.endswith("".join(chunk.text for chunk in chunks))
    assert chunks[-1].end == len(LINES)


class Slow(Unsteady):
    """A Redis that takes its time, by the clock of the test."""

    def __init__(self, store: Store, move: Callable[[float], None], seconds: float) -> None:
        super().__init__(store)
        self._take = lambda: move(seconds)

    def append_log(self, *chunk, **more) -> None:
        super().append_log(*chunk, **more)
        self._take()


def test_a_turn_ends_however_much_is_left(store: Store, path: Path, clock: Callable):
    streams = Slow(store, clock, 0.6 * log_pump.TURN_S)
    pump = LogPump(path, streams, "job", 1)
    say(path, LINES)
    pump.pump()
    assert streams.calls == 2
    pump.pump()
    assert streams.calls == 4
    assert LINES.startswith(told(store))
    pump.close()


def test_the_end_comes_in_time_over_a_slow_line_and_with_the_last_words(
    store: Store, path: Path, clock: Callable
):
    streams = Slow(store, clock, 0.6 * log_pump.FINISH_S)
    pump = LogPump(path, streams, "job", 1)
    say(path, LINES + "last words\n")
    pump.finish()
    pump.close()
    first, second, third, *_ = chunks = list(store.streams.log("job"))
    assert (first.start, second.start) == (0, first.end)
    assert third.start == len(LINES) + len("last words\n") - log_pump.LAST_BYTES > second.end
    assert len(chunks) <= 4


def test_a_log_beyond_its_limit_is_cut_and_its_offsets_tell_what_is_missing(store: Store, path: Path):
    pump = LogPump(path, store.streams, "job", 1, limit=2 * log_pump.CHUNK_BYTES)
    for start in range(0, len(LINES), 1024):
        say(path, LINES[start : start + 1024])
        if start % 65_536 == 0:
            pump.pump()
    pump.finish()
    pump.close()
    assert path.stat().st_size <= 2 * log_pump.CHUNK_BYTES
    chunks = list(store.streams.log("job"))
    assert chunks[-1].end == len(LINES)
    for chunk in chunks:
        assert LINES[chunk.start : chunk.end] == chunk.text
    second = LogPump(path, store.streams, "job", 2, limit=2 * log_pump.CHUNK_BYTES)
    say(path, "another attempt\n")
    second.finish()
    second.close()
    last = list(store.streams.log("job"))[-1]
    assert (last.start, last.text) == (len(LINES), "another attempt\n")
