"""Durations and intervals as people write them."""

from __future__ import annotations

import math

import pytest

from fusionq.spec.units import Interval, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("10m", 600),
        ("2h30m", 9000),
        ("1d", 86_400),
        ("1d2h3m4s", 93_784),
        ("0.5s", 0.5),
        ("1.5h", 5400),
        (" 5s ", 5),
        (45, 45),
        (0.25, 0.25),
        (0, 0),
    ],
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "value",
    ["", " ", "5", "5x", "m5", "5m2h", "-5s", "1e3s", "20000d", -1, math.nan, math.inf, True, None, [5], {}],
)
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (0.42, "0.4s"),
        (42.4, "42s"),
        (59.7, "1m 00s"),
        (190, "3m 10s"),
        (3599.6, "1h 00m"),
        (7500, "2h 05m"),
        (356_400, "4d 03h"),
    ],
)
def test_a_duration_is_shown_for_people(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("1ep", Interval(epochs=1)),
        ("500ba", Interval(batches=500)),
        ("10m", Interval(seconds=600)),
        ("1h30m", Interval(seconds=5400)),
    ],
)
def test_an_interval_counts_epochs_batches_or_seconds(text, interval):
    assert Interval.parse(text) == interval


@pytest.mark.parametrize("text", ["", "0ep", "0ba", "0s", "5", "-1ep", "1.5ep", "ep", "1 ep", "1epoch"])
def test_what_is_no_interval_is_refused(text):
    with pytest.raises(ValueError, match="is not an interval; write 1ep, 500ba or 10m"):
        Interval.parse(text)
