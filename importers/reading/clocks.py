"""Times as the clock of a camera showed them: read from text, brought to the clock of a deployment."""

from __future__ import annotations

import datetime as dt
import re

from pipeline.clock import EARLIEST_YEAR, in_half, is_possible, without_half

_DATE = len("2024-05-01")
_MONTH_FIRST = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{1,2})", re.ASCII)
_SHORT_HOUR = re.compile(r"(?<=[ T])(\d:)", re.ASCII)


def parse_clock_time(
    text: str, *, date_alone: dt.time | None = None, month_first: bool = False
) -> dt.datetime:
    """The time that `text` names, aware if it names an offset from UTC.

    Read are ISO 8601 ("2024-05-01T12:00:03", a space instead of T), the colons of EXIF
    ("2024:05:01 12:00:03") and, with `month_first`, "5/1/2024 12:00", each also with AM or PM. A date
    without a time of day is the date at `date_alone`, and an error without that. Raises ValueError, saying
    why, for any other text and for years in which no camera wrote it.
    """
    plain, half = without_half(text.strip())
    if plain[4:5] == plain[7:8] == ":":
        plain = plain[:_DATE].replace(":", "-") + plain[_DATE:]
    try:
        parts = _MONTH_FIRST.fullmatch(plain) if month_first else None
        if parts is not None:
            month, day, year, hour, minute = map(int, parts.groups())
            time = dt.datetime(year, month, day, hour, minute)
        elif len(plain) > _DATE:
            time = dt.datetime.fromisoformat(_SHORT_HOUR.sub(r"0\1", plain, count=1))
        elif date_alone is not None:
            time = dt.datetime.combine(dt.date.fromisoformat(plain), date_alone)
        else:
            raise ValueError("there is no time of day")
    except ValueError as exc:
        raise ValueError(f"{text[:40]!r} is not a date and time") from exc
    if not is_possible(time):
        raise ValueError(f"{text[:40]!r} is before {EARLIEST_YEAR}")
    return time.replace(hour=in_half(time.hour, half))


def on_clock(moment: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
    """The moment without a zone, as a clock in `zone` shows it; unchanged if either has no zone.

    Raises ValueError if that is beyond the calendar.
    """
    if moment.tzinfo is None or zone is None:
        return moment.replace(tzinfo=None)
    try:
        return moment.astimezone(zone).replace(tzinfo=None)
    except OverflowError as exc:
        raise ValueError(f"{moment.isoformat()} is beyond the calendar") from exc


def zone_name(moment: dt.datetime) -> str | None:
    """The moment's offset as DeploymentRecord.timezone names it, UTC if it is 0; None without an offset."""
    offset = moment.utcoffset()
    if offset is None:
        return None
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return "UTC" if not minutes else f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
