"""Moments as the clock of a deployment's camera showed them."""

from __future__ import annotations

import datetime as dt

EARLIEST_YEAR = 1900  # what is before comes from cameras whose clock was never set


def on_clock(moment: dt.datetime, zone: dt.tzinfo | None) -> dt.datetime:
    """The moment without a zone, as a clock in `zone` showed it; as it stands where either has none.

    Raises ValueError where that is beyond the calendar.
    """
    if moment.tzinfo is None or zone is None:
        return moment.replace(tzinfo=None)
    try:
        return moment.astimezone(zone).replace(tzinfo=None)
    except OverflowError as exc:
        raise ValueError(f"{moment.isoformat()} is beyond the calendar") from exc


def zone_name(moment: dt.datetime) -> str | None:
    """The moment's offset as DeploymentRecord.timezone names it, UTC where it is 0; None without one."""
    offset = moment.utcoffset()
    if offset is None:
        return None
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return "UTC" if not minutes else f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
