"""Questions to a worker about jobs that are to be submitted."""

from __future__ import annotations

import pytest

from fusionq.store.checks import SHORTEST_BLOCK_S
from fusionq.store.store import Store


def test_a_question_is_taken_once_and_its_answer_comes_back(any_store: Store):
    token = any_store.checks.ask({"code": "digest"})
    assert any_store.checks.question(token) == {"code": "digest"}
    assert any_store.checks.question(token) is None
    any_store.checks.answer(token, {"verdicts": []})
    assert any_store.checks.await_answer(token, 60) == {"verdicts": []}


def test_the_last_wait_for_an_answer_is_not_one_without_end(store: Store, monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(store.checks._redis, "blpop", lambda key, timeout: asked.append(timeout))
    assert store.checks.await_answer("t", 0.0001) is None
    assert set(asked) == {SHORTEST_BLOCK_S}
