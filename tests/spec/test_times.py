"""Moments as people write them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from fusionq.errors import SpecError
from fusionq.spec.load import from_yaml
from fusionq.spec.times import parse_time
from tests.support import ONE_JOB

NOW = datetime(2026, 11, 26, 20, 30, 15, 500_000, UTC)


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch):
    """A machine an hour ahead of UTC in winter, two in summer."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("22:00", datetime(2026, 11, 26, 21, tzinfo=UTC)),
        ("21:30", datetime(2026, 11, 27, 20, 30, tzinfo=UTC)),  # that was seconds ago
        ("7:05:10", datetime(2026, 11, 27, 6, 5, 10, tzinfo=UTC)),
        ("2026-12-01 22:00", datetime(2026, 12, 1, 21, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 11, 30, 23, tzinfo=UTC)),
        ("2026-07-01T22:00:30+05:00", datetime(2026, 7, 1, 17, 0, 30, tzinfo=UTC)),
        ("2026-07-01T22:00Z", datetime(2026, 7, 1, 22, tzinfo=UTC)),
        ("2026-07-01 22:00", datetime(2026, 7, 1, 20, tzinfo=UTC)),
        ("+2h30m", NOW + timedelta(hours=2.5)),
    ],
)
def test_every_way_to_say_a_moment(text: str, meant: datetime):
    assert parse_time(text, NOW) == meant


def test_a_time_of_day_is_that_of_the_clock_on_the_wall_also_over_a_change_of_the_clocks():
    before_the_change = datetime(2026, 10, 24, 20, tzinfo=UTC)  # 22:00 in summer
    assert parse_time("21:00", before_the_change) == datetime(2026, 10, 25, 20, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "noon", "25:00", "22:61", "2026-13-01", "+2x", "+", "22", "2h", "1e9"])
def test_what_is_no_time_is_told_with_what_to_write(text: str):
    with pytest.raises(ValueError, match="is not a time; write 22:00, 2026-12-01 22:00 or"):
        parse_time(text, NOW)


def test_a_job_file_takes_a_time_with_and_without_quotes():
    for text in ("22:00", "'22:00'", "2026-12-01 22:00", "2026-12-01", "+2h"):
        assert from_yaml(f"{ONE_JOB}not_before: {text}\n").not_before == text.strip("'")


@pytest.mark.parametrize("text", ["soon", "25:00", "22"])
def test_a_job_file_with_no_time_is_refused(text: str):
    with pytest.raises(SpecError, match="not_before"):
        from_yaml(f"{ONE_JOB}not_before: {text}\n")
