"""One parser of times for every source."""

from __future__ import annotations

import datetime as dt

import pytest

from importers.reading.clocks import parse_clock_time
from pipeline.clock import is_doubtful

NOON = dt.datetime(2024, 5, 1, 12, 0, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01T12:00:03", NOON),
        ("2024-05-01 12:00:03", NOON),
        (" 2024:05:01 12:00:03 ", NOON),
        ("2024-05-01 12:00", NOON.replace(second=0)),
        ("2024-05-01T12:00:03.25", NOON.replace(microsecond=250_000)),
        ("2024-05-01 2:00:03 PM", NOON.replace(hour=14)),
        ("2024-05-01 02:00:03 p.m.", NOON.replace(hour=14)),
        ("2024:05:01 12:00:03 AM", NOON.replace(hour=0)),
        ("2024-05-01 14:00:03 PM", NOON.replace(hour=14)),
        ("2024-05-01T12:00:03Z", NOON.replace(tzinfo=dt.UTC)),
        ("2024-05-01T12:00:03+02:00", NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=2)))),
        ("1900-01-01 00:00:00", dt.datetime(1900, 1, 1)),
    ],
)
def test_times_as_sources_write_them_are_read(text: str, expected: dt.datetime) -> None:
    assert parse_clock_time(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a date and time"),
        ("yesterday at about noon", "is not a date and time"),
        ("2024-05-01", "is not a date and time"),
        ("2024-02-30 12:00:00", "is not a date and time"),
        ("0000:00:00 00:00:00", "is not a date and time"),
        ("5/1/2024 12:00", "is not a date and time"),
        ("1899-12-31 23:59:59", "is before 1900"),
        ("0001-01-01T00:00:00Z", "is before 1900"),
    ],
)
def test_anything_else_is_an_error_that_shows_the_text(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as caught:
        parse_clock_time(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("year", "is_odd"),
    [(1970, True), (2000, True), (2027, True), (1999, False), (2001, False), (2026, False)],
)
def test_years_of_a_clock_that_was_never_set_are_doubtful(year: int, is_odd: bool) -> None:
    assert is_doubtful(dt.datetime(year, 1, 1), dt.datetime(2026, 11, 26, tzinfo=dt.UTC)) == is_odd


def test_month_day_year_is_read_only_where_a_source_writes_it_so() -> None:
    assert parse_clock_time("5/1/2024 12:00", month_first=True) == NOON.replace(second=0)
    assert parse_clock_time("2024-05-01 12:00:03", month_first=True) == NOON
    assert parse_clock_time("5/1/2024 2:00 PM", month_first=True) == dt.datetime(2024, 5, 1, 14)
    with pytest.raises(ValueError, match="is not a date and time"):
        parse_clock_time("13/1/2024 12:00", month_first=True)


def test_a_date_alone_is_a_time_where_the_source_says_which() -> None:
    assert parse_clock_time("2024-05-01", date_alone=dt.time(23, 59, 59)) == dt.datetime(
        2024, 5, 1, 23, 59, 59
    )
    with pytest.raises(ValueError, match="is before 1900"):
        parse_clock_time("1899-05-01", date_alone=dt.time())
