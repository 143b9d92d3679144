"""Times that the clock of a camera can show: one rule of years and one of twelve hours for every source."""

from __future__ import annotations

import datetime as dt
import re

EARLIEST_YEAR = 1900  # there were no cameras that write times before
UNSET_YEARS = (1970, 2000)  # where the clocks of cameras begin when nobody set them

_TWELVE_HOURS = re.compile(r"(.*\d)\s*([AaPp])\.?[Mm]\.?", re.DOTALL)


def is_possible(moment: dt.datetime) -> bool:
    """Whether a camera can have written this time."""
    return moment.year >= EARLIEST_YEAR


def without_half(text: str) -> tuple[str, str]:
    """The text without an AM or PM at its end, and that half of the day as "a" or "p"; empty if none."""
    match = _TWELVE_HOURS.fullmatch(text)
    return (match[1], match[2].lower()) if match else (text, "")


def in_half(hour: int, half: str) -> int:
    """The hour of 24 of an hour in a half of the day, as `without_half` names it."""
    if not half or hour > 12:  # some cameras write PM after 14:00 as well
        return hour
    return hour % 12 + (12 if half == "p" else 0)


def is_doubtful(moment: dt.datetime, now: dt.datetime) -> bool:
    """Whether a time looks as if the clock was never set: of an UNSET_YEAR, or of a year after `now`.

    Clocks east of that of `now` may be a day ahead.
    """
    return moment.year in UNSET_YEARS or moment.year > (now + dt.timedelta(days=1)).year
