"""Messages between worker, fork server and job process."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from fusionq.worker import protocol as wire
from fusionq.worker.protocol import Receiver, send


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def receive_all(receiver: Receiver) -> list[dict]:
    found = []
    while not receiver.is_closed:
        found += receiver.receive(1)
    return found


def test_the_exit_code_of_a_stop_is_pinned():
    assert (wire.EXIT_DONE, wire.EXIT_FAILED, wire.EXIT_STOPPED) == (0, 1, 75)


def test_messages_arrive_in_order_and_as_sent(ends):
    here, there = ends
    messages = [{"kind": "epoch", "epoch": n, "text": "zwölf\nlines"} for n in range(3)]
    for message in messages:
        send(here, message)
    assert Receiver(there).receive(1) == messages


def test_a_message_that_comes_in_pieces_is_put_together(ends):
    here, there = ends
    receiver = Receiver(there)
    here.sendall(b'{"kind": "ep')
    assert receiver.receive(1) == []
    here.sendall(b'och"}\n{"kind":')
    assert receiver.receive(1) == [{"kind": "epoch"}]
    here.sendall(b' "result"}\n')
    assert receiver.receive(1) == [{"kind": "result"}]


def test_all_that_has_arrived_can_be_taken_at_once(ends):
    here, there = ends
    receiver = Receiver(there)
    messages = [{"text": "x" * 30_000}] * 4
    for message in messages:
        send(here, message)
    here.close()
    assert receiver.drain() == messages
    assert receiver.is_closed
    assert receiver.drain() == []


def test_a_message_larger_than_one_read_arrives_whole(ends):
    here, there = ends
    receiver = Receiver(there)
    message = {"text": "x" * 150_000}
    send(here, message)
    here.close()
    assert receive_all(receiver) == [message]


def test_silence_is_no_message_and_no_end(ends):
    _, there = ends
    receiver = Receiver(there)
    began = time.monotonic()
    assert receiver.receive(0.02) == []
    assert time.monotonic() - began < 5
    assert not receiver.is_closed


def test_a_time_limit_that_has_passed_already_is_no_wait_without_end(ends):
    _, there = ends
    assert Receiver(there).receive(-0.001) == []


def test_a_closed_peer_is_an_end_after_its_last_words(ends):
    here, there = ends
    receiver = Receiver(there)
    send(here, {"last": 1})
    here.close()
    assert receive_all(receiver) == [{"last": 1}]
    assert receiver.receive(None) == [], "and nobody waits for more"


def test_a_message_that_a_kill_tore_does_not_spoil_the_next(ends):
    here, there = ends
    send(here, {"kind": "epoch"})
    here.sendall(b'{"kind": "prog')
    send(here, {"exit": -9})
    here.close()
    assert receive_all(Receiver(there)) == [{"kind": "epoch"}, {"exit": -9}]


def test_sending_to_a_closed_peer_is_an_error_that_says_so(ends):
    here, there = ends
    there.close()
    with pytest.raises(OSError, match="Broken pipe"):
        send(here, {"kind": "epoch"})


def test_what_a_job_says_is_made_safe_before_anything_else_sees_it():
    point = {"kind": "epoch", "epoch": 1, "values": {"test_\x1b[2J": 0.5, "caf\udce9": 1.0}}
    assert wire.cleaned(point) == {
        "kind": "epoch",
        "epoch": 1,
        "values": {r"test_\x1b[2J": 0.5, r"caf\xe9": 1.0},
    }
    warning = wire.cleaned({"kind": "warning", "text": "two\nlines \x07 " + "x" * 3_000_000})
    assert warning["text"].startswith(r"two lines \x07 xxx")
    assert len(warning["text"]) == 500
    result = wire.cleaned({"kind": "result", "result": {"best_model": "/runs/\udcff", "best_epoch": 2}})
    assert result["result"] == {"best_model": r"/runs/\xff", "best_epoch": 2}
