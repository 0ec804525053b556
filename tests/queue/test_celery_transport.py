"""Neither a message that is none of Celery's nor a connection that was lost ends a worker."""

from __future__ import annotations

import pytest

from fusionq.queue.celery_app import make_app
from fusionq.queue.celery_transport import TolerantChannel
from fusionq.store.keys import CELERY_PREFIX
from fusionq.store.store import Store


@pytest.mark.parametrize("garbage", ["garbage", "5", "{}", '{"body": 1}', "[]", "null", b"\xff\xfe"])
def test_a_message_that_is_none_is_dropped_and_the_next_one_is_read(
    store: Store, garbage: str | bytes, caplog: pytest.LogCaptureFixture
):
    app = make_app(lambda: store.url)
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        assert isinstance(channel, TolerantChannel)
        assert not channel.do_restore
        with connection.SimpleBuffer("box") as box:
            store.redis.lpush(f"{CELERY_PREFIX}box", garbage)
            box.put({"job": "aaa"})
            assert box.get(timeout=5).payload == {"job": "aaa"}
    assert "dropped a message that is none of Celery's" in caplog.text
    assert store.redis.llen(f"{CELERY_PREFIX}box") == 0


@pytest.mark.parametrize("answer", ["ack", "reject"])
def test_a_message_whose_connection_was_lost_is_answered_without_an_error(store: Store, answer: str):
    app = make_app(lambda: store.url)
    with app.connection_for_read() as connection, connection.SimpleBuffer("box") as box:
        box.put({"job": "aaa"})
        message = box.get(timeout=5)
    getattr(message, answer)()
    assert message.acknowledged
