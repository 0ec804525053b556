"""Logs and metrics: a reader misses nothing, reads nothing twice, and hears of news at once."""

from __future__ import annotations

import threading
import time

from fusionq.store import keys
from fusionq.store.connection import connect
from fusionq.store.store import Store
from fusionq.store.streams import BEGINNING, LOG_CHUNKS, News
from tests.support import submit, wait_until

SHORT_S = 0.02


def say(store: Store, job_id: str, *texts: str) -> None:
    for text in texts:
        store.streams.append_log(job_id, 1, 0, len(text), text)


def said(news: News) -> list[str]:
    return [chunk.text for chunk in news.chunks]


def test_a_log_is_read_in_order_with_its_offsets(any_store: Store):
    any_store.streams.append_log("j", 1, 0, 3, "one")
    any_store.streams.append_log("j", 2, 3, 8, "zwölf")
    any_store.streams.append_log("other", 1, 0, 1, "x")
    chunks = list(any_store.streams.log("j"))
    assert [(c.attempt, c.start, c.end, c.text) for c in chunks] == [(1, 0, 3, "one"), (2, 3, 8, "zwölf")]


def test_a_long_log_is_read_whole(store: Store):
    texts = [str(i) for i in range(1100)]
    say(store, "j", *texts)
    assert [chunk.text for chunk in store.streams.log("j")] == texts


def test_reading_goes_on_behind_a_cursor(any_store: Store):
    say(any_store, "j", "a", "b", "c")
    first, *rest = any_store.streams.log("j")
    assert [chunk.text for chunk in any_store.streams.log("j", first.cursor)] == ["b", "c"]
    assert list(any_store.streams.log("j", rest[-1].cursor)) == []


def test_a_job_without_output_has_an_empty_log(any_store: Store):
    assert list(any_store.streams.log("none")) == []
    assert any_store.streams.points("none") == []


def test_points_come_back_as_they_were(any_store: Store):
    points = [{"epoch": 1, "values": {"loss": 0.5}}, {"epoch": 2, "text": "é"}]
    any_store.streams.append_points("j", points)
    assert any_store.streams.points("j") == points


def test_a_log_keeps_its_newest_chunks(store: Store):
    pipe = store.redis.pipeline(transaction=False)
    for _ in range(LOG_CHUNKS + 1000):
        pipe.xadd(keys.log("j"), {"attempt": 1, "start": 0, "end": 0, "text": ""})
    pipe.execute()
    say(store, "j", "newest")
    assert LOG_CHUNKS <= store.redis.xlen(keys.log("j")) < LOG_CHUNKS + 200


def test_the_first_look_shows_everything_so_far(any_store: Store):
    say(any_store, "j", "a", "b")
    any_store.streams.append_points("j", [{"epoch": 1}])
    news = any_store.streams.follow("j", {}, SHORT_S)
    assert (said(news), news.points, news.changed) == (["a", "b"], [{"epoch": 1}], set())


def test_following_neither_loses_nor_repeats(any_store: Store):
    seen, cursors = [], {}
    for i in range(5):
        say(any_store, "j", f"{i}a", f"{i}b")
        news = any_store.streams.follow("j", cursors, SHORT_S)
        seen, cursors = seen + said(news), news.cursors
    assert seen == [f"{i}{part}" for i in range(5) for part in "ab"]
    assert said(any_store.streams.follow("j", cursors, SHORT_S)) == []


def test_a_reader_that_comes_back_goes_on_where_it_was(store: Store):
    say(store, "j", "a")
    cursors = store.streams.follow("j", {}, SHORT_S).cursors
    say(store, "j", "b")
    later = Store(connect(store.url))
    assert said(later.streams.follow("j", cursors, SHORT_S)) == ["b"]
    later.close()


def test_more_than_one_answer_holds_comes_with_the_next(store: Store):
    say(store, "j", *map(str, range(1200)))
    seen, cursors = [], {}
    while news := store.streams.follow("j", cursors, SHORT_S):
        if not news.chunks:
            break
        seen, cursors = seen + said(news), news.cursors
    assert seen == list(map(str, range(1200)))


def test_a_reader_that_waits_is_woken_by_new_output(store: Store):
    cursors = store.streams.follow("j", {}, SHORT_S).cursors
    answers: list[tuple[float, News]] = []

    def wait() -> None:
        reader = Store(connect(store.url))
        news = reader.streams.follow("j", cursors, 2)
        answers.append((time.monotonic(), news))
        reader.close()

    thread = threading.Thread(target=wait)
    thread.start()
    wait_until(
        lambda: "xread" in {client["cmd"] for client in store.redis.client_list()}, what="the reader to wait"
    )
    start = time.monotonic()
    say(store, "j", "hello")
    thread.join()
    ((woken_at, news),) = answers
    assert said(news) == ["hello"]
    assert woken_at - start < 1


def test_every_change_of_state_is_news_with_whose_it_is(any_store: Store):
    submit(any_store, "other")
    cursors = any_store.streams.follow("j", {}, SHORT_S).cursors
    submit(any_store, "third")
    news = any_store.streams.follow("j", cursors, SHORT_S)
    assert news.changed == {"third"}
    submit(any_store, "j")
    news = any_store.streams.follow("j", news.cursors, SHORT_S)
    assert news.changed == {"j"}
    assert not any_store.streams.follow("j", news.cursors, SHORT_S).changed


def test_looking_without_waiting_returns_at_once(store: Store):
    start = time.monotonic()
    assert said(store.streams.follow("j", {}, 0)) == []
    assert time.monotonic() - start < 1


def test_the_cursor_behind_the_newest_event(any_store: Store):
    assert any_store.streams.last_event() == BEGINNING
    submit(any_store, "j")
    assert any_store.streams.last_event() == any_store.redis.xrevrange(keys.EVENTS, count=1)[0][0]


def test_what_is_recent_can_be_followed_from_there(any_store: Store):
    streams = any_store.streams
    for text in "abc":
        say(any_store, "j", text)
    streams.append_points("j", [{"epoch": 1}, {"epoch": 2}])
    news = streams.recent("j", 2)
    assert streams.recent_log("j", 2) == news.chunks
    assert (said(news), news.points) == (["b", "c"], [{"epoch": 1}, {"epoch": 2}])
    say(any_store, "j", "d")
    assert said(streams.follow("j", news.cursors, SHORT_S)) == ["d"]


def test_nothing_is_recent_of_a_job_that_said_nothing(any_store: Store):
    news = any_store.streams.recent("j", 2)
    assert (news.chunks, news.points) == ([], [])
    say(any_store, "j", "a")
    assert said(any_store.streams.follow("j", news.cursors, SHORT_S)) == ["a"]


def test_changes_alone_can_be_followed(any_store: Store):
    cursors = any_store.streams.follow("", {}, SHORT_S).cursors
    submit(any_store, "j")
    assert any_store.streams.follow("", cursors, SHORT_S).changed == {"j"}
