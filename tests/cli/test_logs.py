"""What a job printed, all of it and once, and what follows it to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusionq.client import follow as follow_module
from fusionq.client import patience
from fusionq.client.follow import Watcher, follow
from fusionq.errors import StoreUnavailableError
from fusionq.spec.output_log import shorten
from fusionq.spec.record import JobRecord
from fusionq.spec.states import Outcome, Status
from fusionq.store.packing import pack
from fusionq.store.store import Store
from fusionq.store.streams import Streams
from tests.cli.conftest import Cli
from tests.cli.jobs import finished, print_, queued, started


@pytest.fixture
def outages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the looks at the stream, from 1, that find no Redis."""
    monkeypatch.setattr(patience, "RETRY_S", 0.001)
    at: list[int] = []
    look, count = Streams.follow, [0]

    def unsteady(self: Streams, *args):
        count[0] += 1
        if count[0] in at:
            raise StoreUnavailableError("no connection")
        return look(self, *args)

    monkeypatch.setattr(Streams, "follow", unsteady)
    return at


# --- without -f ------------------------------------------------------------------------------------


def test_all_that_a_job_printed_is_printed(cli: Cli, store: Store):
    started(store, "aaa")
    print_(store, "aaa", "one\nzw")
    print_(store, "aaa", "ölf\n", start=6)
    done = cli("logs", "aaa")
    assert (done.code, done.out, done.err) == (0, "one\nzwölf\n", "")


def test_a_job_that_printed_nothing_says_so_beside_the_output(cli: Cli, store: Store):
    queued(store, "aaa")
    done = cli("logs", "aaa")
    assert (done.code, done.out) == (0, "")
    assert done.err == "tiny (aaa): no output (job queued)\n"


def test_a_chunk_that_was_sent_twice_is_printed_once(cli: Cli, store: Store):
    finished(store, "aaa")
    for text, start in (("one\n", 0), ("one\n", 0), ("two\n", 4), ("two\n", 4)):
        print_(store, "aaa", text, start=start)
    assert cli("logs", "aaa").out == "one\ntwo\n"
    assert cli("logs", "aaa", "-f").out == "one\ntwo\n"


def test_an_attempt_on_another_machine_begins_a_file_of_its_own(cli: Cli, store: Store):
    finished(store, "aaa")
    print_(store, "aaa", "first attempt\n")
    print_(store, "aaa", "second\n", attempt=2)
    assert cli("logs", "aaa").out == "first attempt\nsecond\n"
    assert cli("logs", "aaa", "-f").out == "first attempt\nsecond\n"


def test_what_the_stream_no_longer_holds_comes_from_the_run_folder(cli: Cli, store: Store, tmp_path: Path):
    finished(store, "aaa")
    store.redis.hset("fusionq:job:aaa", "run_dir", str(tmp_path))
    (tmp_path / "output.log").write_text("one\ntwo\n")
    print_(store, "aaa", "two\n", start=4)
    assert cli("logs", "aaa").out == "one\ntwo\n"


def test_what_is_on_another_machine_is_said(cli: Cli, store: Store, tmp_path: Path):
    finished(store, "aaa")
    store.redis.hset("fusionq:job:aaa", "run_dir", str(tmp_path))
    print_(store, "aaa", "two\n", start=4)
    done = cli("logs", "aaa")
    assert done.out == "two\n"
    assert "the first 4 bytes are no longer in Redis" in done.err
    assert "output.log on host" in done.err


def test_what_a_follower_was_too_slow_for_comes_from_the_run_folder(cli: Cli, store: Store, tmp_path: Path):
    finished(store, "aaa")
    store.redis.hset("fusionq:job:aaa", "run_dir", str(tmp_path))
    (tmp_path / "output.log").write_text("one\ntwo\nthree\n")
    print_(store, "aaa", "one\n")
    print_(store, "aaa", "three\n", start=8)
    assert cli("logs", "aaa").out == cli("logs", "aaa", "-f").out == "one\ntwo\nthree\n"


def test_what_a_follower_was_too_slow_for_and_cannot_be_seen_is_said(cli: Cli, store: Store, tmp_path: Path):
    finished(store, "aaa")
    store.redis.hset("fusionq:job:aaa", "run_dir", str(tmp_path))
    print_(store, "aaa", "one\n")
    seen: list[str] = []

    class Slow(Watcher):
        def on_text(self, text: str) -> None:
            seen.append(text)
            if len(seen) == 1:
                print_(store, "aaa", "three\n", start=8)

        def on_missed(self, record: JobRecord, start: int, end: int) -> None:
            seen.append(f"{start} to {end}")

    follow(store, "aaa", Slow())
    assert seen == ["one\n", "4 to 8", "three\n"]
    done = cli("logs", "aaa", "-f")
    assert done.out == "one\nthree\n"
    assert "(4 bytes are no longer in Redis; they are in " in done.err


def test_what_was_cut_out_of_a_loud_log_is_said(cli: Cli, store: Store, tmp_path: Path):
    finished(store, "aaa")
    store.redis.hset("fusionq:job:aaa", "run_dir", str(tmp_path))
    log = tmp_path / "output.log"
    log.write_text("".join(f"{number:09}\n" for number in range(400_000)))
    shorten(log, 1_000_000)
    spec = store.jobs.spec("aaa")
    store.redis.set("fusionq:spec:aaa", pack({**spec, "output_limit": 1_000_000}))
    print_(store, "aaa", "399999\n", start=3_999_990)
    out = cli("logs", "aaa").out
    assert out.startswith("000000000\n000000001\n")
    assert "000049999\n\n[3,250,000 bytes of output were cut out, see output_limit]\n000375000\n" in out


# --- some of it ------------------------------------------------------------------------------------


def test_the_last_lines_are_lines_whatever_pieces_they_came_in(cli: Cli, store: Store):
    finished(store, "aaa")
    for text, start in (("one\ntw", 0), ("o\nthr", 6), ("ee\nfo", 11), ("ur", 16)):
        print_(store, "aaa", text, start=start)
    assert cli("logs", "aaa", "--tail", "2").out == "three\nfour"
    assert cli("logs", "aaa", "-n", "9").out == "one\ntwo\nthree\nfour"
    assert cli("logs", "aaa", "-f", "-n", "1").out == "four"
    assert cli("logs", "aaa", "-f", "-n", "0").out == ""


def test_one_attempt_alone(cli: Cli, store: Store):
    finished(store, "aaa")
    print_(store, "aaa", "first\n")
    print_(store, "aaa", "second\n", attempt=2)
    assert cli("logs", "aaa", "--attempt", "2").out == "second\n"
    assert cli("logs", "aaa", "--attempt", "1", "-f").out == "first\n"
    assert cli("logs", "aaa", "--attempt", "3").err == "tiny (aaa): no matching output (job succeeded)\n"


def test_only_what_came_lately(cli: Cli, store: Store):
    finished(store, "aaa")
    fields = {"attempt": 1, "start": 0, "end": 4, "text": "old\n"}
    store.redis.xadd("fusionq:log:aaa", fields, id=f"{round(store.now() * 1000) - 600_000}-0")
    print_(store, "aaa", "new\n", start=4)
    assert cli("logs", "aaa", "--since", "5m").out == "new\n"
    assert cli("logs", "aaa", "--since", "1h").out == "old\nnew\n"
    assert cli("logs", "aaa", "--since", "soon").code == 2


def test_what_another_rank_printed_comes_from_its_file(cli: Cli, store: Store, tmp_path: Path):
    finished(store, "aaa")
    store.redis.hset("fusionq:job:aaa", "run_dir", str(tmp_path))
    (tmp_path / "ranks").mkdir()
    (tmp_path / "ranks" / "rank-1.log").write_text("one\ntwo\n")
    assert cli("logs", "aaa", "--rank", "1").out == "one\ntwo\n"
    done = cli("logs", "aaa", "--rank", "1", "-f", "--tail", "1")
    assert (done.code, done.out) == (0, "two\n")
    assert cli("logs", "aaa", "--rank", "2").code == 3
    assert cli("logs", "aaa", "--rank", "1", "--since", "5m").code == 2


def test_following_begins_with_what_the_stream_no_longer_holds(cli: Cli, store: Store, tmp_path: Path):
    finished(store, "aaa")
    store.redis.hset("fusionq:job:aaa", "run_dir", str(tmp_path))
    (tmp_path / "output.log").write_text("one\ntwo\n")
    print_(store, "aaa", "two\n", start=4)
    assert cli("logs", "aaa", "-f").out == "one\ntwo\n"


# --- with -f ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "code"),
    [(Outcome.SUCCEEDED, 0), (Outcome.FAILED, 1), (Outcome.CANCELLED, 4), (Outcome.TIMED_OUT, 5)],
)
def test_following_ends_with_the_exit_code_of_the_job(cli: Cli, store: Store, outcome: Outcome, code: int):
    finished(store, "aaa", outcome, reason="for a reason", text="words\n")
    done = cli("logs", "aaa", "-f")
    assert (done.code, done.out) == (code, "words\n")
    assert str(outcome).replace("_", " ") in done.err
    assert "for a reason" in done.err


def test_following_goes_on_after_an_outage_without_losing_or_repeating(store: Store, outages: list[int]):
    class Collecting(Watcher):
        def __init__(self) -> None:
            self.text = ""
            self.outages = 0

        def on_text(self, text: str) -> None:
            self.text += text

        def on_outage(self, error: StoreUnavailableError) -> None:
            self.outages += 1

    finished(store, "aaa")
    length = 0
    for number in range(1200):  # more than one look takes
        print_(store, "aaa", f"line {number}\n", start=length)
        length += len(f"line {number}\n")
    outages += [1, 3, 4]
    watcher = Collecting()
    follow(store, "aaa", watcher)
    assert watcher.text == "".join(f"line {number}\n" for number in range(1200))
    assert watcher.outages == 2


def test_an_outage_is_said_and_tried_again(cli: Cli, store: Store, outages: list[int]):
    finished(store, "aaa", text="words\n")
    outages += [1]
    done = cli("logs", "aaa", "-f")
    assert (done.code, done.out) == (0, "words\n")
    assert "no connection; trying again\n" in done.err


def test_an_outage_without_end_is_an_error(
    cli: Cli, store: Store, outages: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(patience, "PATIENCE_S", 0.02)
    finished(store, "aaa")
    outages += range(1, 10_000)
    assert cli("logs", "aaa", "-f").code == 6


def test_ctrl_c_detaches_and_leaves_the_job_alone(cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch):
    started(store, "aaa")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Streams, "follow", interrupt)
    done = cli("logs", "aaa", "-f")
    assert done.code == 130
    assert "the job goes on; come back with: fusionq logs aaa -f" in done.err
    assert store.jobs.get("aaa").status is Status.RUNNING
    assert not store.jobs.get("aaa").stop_requested


def test_following_a_job_that_waits_says_so(cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(follow_module, "LONGEST_BLOCK_S", 0.01)
    queued(store, "aaa")
    look = Streams.follow

    def cancel_first(self: Streams, *args):
        store.jobs.cancel("aaa", "changed my mind")
        return look(self, *args)

    monkeypatch.setattr(Streams, "follow", cancel_first)
    done = cli("logs", "aaa", "-f")
    assert done.code == 4
    assert "tiny (aaa) is queued; Ctrl-C does not stop it" in done.err
    assert "changed my mind" in done.err


# --- following, as the verbs use it ----------------------------------------------------------------


class Story(Watcher):
    """Lets the job go on each time that something of it is heard."""

    def __init__(self, store: Store) -> None:
        self.heard: list[str] = []
        self._store = store

    def on_record(self, record: JobRecord) -> None:
        self.heard.append(str(record.state_word))
        if record.status is Status.RUNNING:
            print_(self._store, "aaa", "one\n")

    def on_point(self, point: dict) -> None:
        self.heard.append(f"point {point['epoch']}")
        print_(self._store, "aaa", "last words\n", start=4)
        self._store.jobs.finish("aaa", 1, Outcome.SUCCEEDED, "", {"epochs": 1})

    def on_text(self, text: str) -> None:
        self.heard.append(text.strip())
        if text == "one\n":
            self._store.streams.append_points("aaa", [{"kind": "epoch", "epoch": 1}])


def test_a_follower_hears_everything_in_order_and_the_last_words_before_the_end(store: Store):
    started(store, "aaa")
    story = Story(store)
    record = follow(store, "aaa", story)
    assert record.outcome is Outcome.SUCCEEDED
    assert story.heard[:3] == ["running", "one", "point 1"]
    assert sorted(story.heard[3:]) == ["last words", "succeeded"]


def test_a_follower_may_be_called_off(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(follow_module, "LONGEST_BLOCK_S", 0.01)
    started(store, "aaa")

    def check() -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        follow(store, "aaa", Watcher(), check)
