"""Bars out of characters."""

from __future__ import annotations

import io
import sys

import pytest

from fusionq.cli.bars import bar


@pytest.mark.parametrize(
    ("share", "drawn"),
    [(0, "▕    ▏"), (0.5, "▕██  ▏"), (0.53, "▕██▏ ▏"), (1, "▕████▏"), (7, "▕████▏"), (-1, "▕    ▏")],
)
def test_a_share_is_drawn_to_an_eighth_of_a_character(share: float, drawn: str):
    assert bar(share, 4) == drawn


def test_a_terminal_without_such_characters_gets_others(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert bar(0.5, 4) == "[##--]"
