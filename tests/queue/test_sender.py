"""Messages: few, small, and with outages in our own words."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fusionq.errors import StoreUnavailableError
from fusionq.queue.celery_app import make_app
from fusionq.queue.sender import QUEUE_HOLDS_S, Sender
from fusionq.store.connection import connect
from fusionq.store.store import Store


@pytest.fixture
def sender(store: Store) -> Iterator[Sender]:
    sender = Sender(make_app(lambda: store.url), store)
    yield sender
    sender.close()


def messages(store: Store, queue: str) -> list[dict[str, Any]]:
    return [json.loads(raw) for raw in store.redis.lrange(f"fusionq:celery:{queue}", 0, -1)]


def test_a_run_message_goes_to_the_queue_of_its_worker_and_carries_ids_alone(store: Store, sender: Sender):
    sender.run("box-2", "abc", 3)
    (message,) = messages(store, "node.box-2")
    assert message["headers"]["task"] == "fusionq.run"
    assert message["headers"]["id"] == "abc.3"
    assert message["content-type"] == "application/json"
    arguments, _, _ = json.loads(base64.b64decode(message["body"]))
    assert arguments == ["abc", 3]


def test_messages_that_nobody_takes_expire_by_the_clock_of_redis(store: Store, sender: Sender):
    sender.run("box-2", "abc", 3)
    assert messages(store, "node.box-2")[0]["headers"]["expires"] is None, "clocks of hosts may differ"
    assert 0 < store.redis.ttl("fusionq:celery:node.box-2") <= QUEUE_HOLDS_S


def test_of_many_messages_that_nobody_takes_the_oldest_go(
    store: Store, sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fusionq.queue.sender.MOST_WAITING", 3)
    for attempt in range(5):
        sender.run("box-2", "abc", attempt)
    waiting = [message["headers"]["id"] for message in messages(store, "node.box-2")]
    assert waiting == ["abc.4", "abc.3", "abc.2"]


def test_many_wishes_for_a_pass_are_one_message(store: Store, sender: Sender):
    for _ in range(5):
        sender.ask_for_pass()
    assert [message["headers"]["task"] for message in messages(store, "schedule")] == ["fusionq.schedule"]


def test_a_worker_that_wishes_for_a_pass_tells_itself(store: Store, sender: Sender):
    sender.ask_for_pass()  # perhaps to one that stands still
    sender.ask_for_pass("box-2")
    assert [message["headers"]["task"] for message in messages(store, "node.box-2")] == ["fusionq.schedule"]


def test_a_wish_after_a_pass_began_is_sent(store: Store, sender: Sender):
    sender.ask_for_pass()
    store.passes.begin("token")
    sender.ask_for_pass()
    assert len(messages(store, "schedule")) == 2


def test_without_redis_a_wish_is_an_outage_in_our_own_words(tmp_path: Path):
    url = f"unix://{tmp_path}/nobody.sock"
    sender = Sender(make_app(lambda: url), Store(connect(url), url))
    with pytest.raises(StoreUnavailableError, match=r"no connection to Redis at unix://.*nobody.sock"):
        sender.ask_for_pass()


def test_a_message_that_cannot_be_sent_is_an_outage_within_seconds(tmp_path: Path):
    url = f"unix://{tmp_path}/nobody.sock"
    sender = Sender(make_app(lambda: url), Store(connect(url), url))
    with pytest.raises(StoreUnavailableError, match=r"no connection to Redis at unix://.*nobody.sock"):
        sender.run("box", "abc", 1)
    sender.close()
