"""Commands to run beside a job: asked once, taken once, and their output with a typed end."""

from __future__ import annotations

import json

import pytest

from fusionq.store import commands, keys
from fusionq.store.command_input import MOST_PIECES, WindowSize
from fusionq.store.commands import CommandRequest, Terminal
from fusionq.store.store import Store
from fusionq.store.transfers import RefusedError

REQUEST = CommandRequest("aaa", 2, ("echo", "a b", "\udcff"))


def received(store: Store) -> tuple[list[bytes], int]:
    pieces, found = store.transfers.receive("t", 5.0), []
    while True:
        try:
            found.append(next(pieces))
        except StopIteration as end:
            return found, end.value


def test_a_request_is_taken_once_as_it_was_asked(any_store: Store):
    token = any_store.commands.ask(REQUEST)
    assert any_store.commands.take(token) == REQUEST
    assert any_store.commands.take(token) is None


def test_a_refusal_may_name_a_file_that_is_no_text(any_store: Store):
    any_store.transfers.refuse("t", "cannot read \udcff.log")
    with pytest.raises(RefusedError, match=r"cannot read \\xff\.log"):
        received(any_store)


def test_what_was_withdrawn_is_not_begun_and_has_no_listener(any_store: Store):
    token = any_store.commands.ask(REQUEST)
    assert any_store.commands.has_listener(token)
    any_store.transfers.send(token, b"x")
    any_store.commands.withdraw(token)
    assert not any_store.commands.has_listener(token)
    assert any_store.commands.take(token) is None
    assert any_store.redis.keys("*") == []


def test_every_key_of_a_command_expires(any_store: Store):
    token = any_store.commands.ask(REQUEST)
    any_store.transfers.say_alive(token)
    any_store.command_input.send(token, b"x")
    any_store.redis.persist(keys.transfer(token))
    any_store.redis.persist(keys.command_input(token))
    any_store.commands.keep_listening(token)
    found = any_store.redis.keys("*")
    assert set(found) == {
        keys.command(token),
        keys.listener(token),
        keys.transfer(token),
        keys.command_input(token),
    }
    assert all(0 < any_store.redis.ttl(key) <= commands.STAYS_S for key in found)


def test_the_end_carries_an_exit_code_whatever_the_bytes_before_it(any_store: Store):
    for piece in (b".0", b"a", b"e no", b"\x00\xff"):
        any_store.transfers.send("t", piece)
    any_store.transfers.say_alive("t")
    any_store.transfers.end("t", 137)
    assert received(any_store) == ([b".0", b"a", b"e no", b"\x00\xff"], 137)


def test_an_end_without_a_code_is_zero(any_store: Store):
    any_store.redis.rpush(keys.transfer("t"), b".")  # as older workers say it
    assert received(any_store) == ([], 0)


def test_a_refusal_after_some_output_is_one(any_store: Store):
    any_store.transfers.send("t", b"x")
    any_store.transfers.refuse("t", "the job stopped")
    with pytest.raises(RefusedError, match="the job stopped"):
        received(any_store)


@pytest.mark.parametrize("terminal", [None, Terminal("xterm", WindowSize(24, 80))])
def test_a_request_for_input_says_so(any_store: Store, terminal: Terminal | None):
    request = CommandRequest("aaa", 2, ("sh",), takes_input=True, terminal=terminal)
    assert any_store.commands.take(any_store.commands.ask(request)) == request


def test_a_request_without_input_is_one_that_older_workers_take():
    assert json.loads(REQUEST.to_json()) == ["aaa", 2, ["echo", "a b", "\udcff"]]


def test_input_comes_in_order_as_long_as_there_is_room(any_store: Store):
    pieces = [b"d\x00\xff", WindowSize(24, 80), b""]
    for piece in pieces:
        assert any_store.command_input.send("t", piece)
    assert 0 < any_store.redis.ttl(keys.command_input("t")) <= commands.STAYS_S
    assert [any_store.command_input.receive("t", 5.0) for _ in pieces] == pieces
    room = [any_store.command_input.send("t", b"x") for _ in range(MOST_PIECES)]
    assert room == [True] * (MOST_PIECES - 1) + [False]
    assert not any_store.command_input.has_room("t")
    any_store.commands.withdraw("t")
    assert any_store.redis.keys("*") == []
