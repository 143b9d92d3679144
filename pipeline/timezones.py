"""Time zones as deployments name them."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])([0-9]{1,2})(?::?([0-5][0-9]))?")


def zone_of(text: str) -> dt.tzinfo:
    """The zone for `text`: an IANA name such as Europe/Brussels, or an offset such as +02:00.

    Raises:
        ValueError: there is no such zone.
    """
    name = text.strip()
    if name.upper() in ("Z", "UTC", "GMT"):
        return dt.UTC
    offset = _OFFSET.fullmatch(name.upper())
    if offset is not None and int(offset[2]) < 24:
        length = dt.timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return dt.timezone(length if offset[1] == "+" else -length)
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:  # the name of a folder of zone data is an OSError
        raise ValueError(f"{text!r} is not a time zone") from exc
