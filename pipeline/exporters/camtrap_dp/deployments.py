"""The deployments of an export, with the coordinates and time zones that the standard needs."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pipeline.errors import ExportError
from pipeline.records import DeploymentRecord, ImageRecord
from pipeline.timezones import zone_of

NAMED = 10  # locations that an error message lists

WITHOUT_TIME = "photographs without a time left out: the standard needs one"
OUTSIDE_PERIOD = "photographs that were not taken within the period of their deployment"
WITHOUT_LOCATION = "photographs without a location left out: the standard needs coordinates"


@dataclass(kw_only=True)
class ExportedDeployment:
    """A deployment in the export."""

    record: DeploymentRecord  # has coordinates after `ExportedDeployments.check`
    zone: dt.tzinfo | None
    first: dt.datetime  # of its photographs, the camera's clock
    last: dt.datetime

    @property
    def started(self) -> dt.datetime:
        """By the camera's clock; if the store has no start, that of the first photograph."""
        return self.record.started_at or min(self.first, self.record.ended_at or self.first)

    @property
    def ended(self) -> dt.datetime:
        """By the camera's clock; if the store has no end, that of the last photograph."""
        return self.record.ended_at or max(self.last, self.record.started_at or self.last)

    def covers(self, time: dt.datetime) -> bool:
        """Whether `time` is within the deployment's period."""
        return self.started <= time <= self.ended

    def stamp(self, time: dt.datetime) -> str:
        """A time of the camera's clock as the standard writes it: to the second, with its offset."""
        return stamp(time, self.zone or dt.UTC)


def stamp(time: dt.datetime, zone: dt.tzinfo) -> str:
    """A time of a clock in `zone`, to the second, with the offset to the minute."""
    whole = time.replace(microsecond=0, tzinfo=None)
    offset = whole.replace(tzinfo=zone).utcoffset() or dt.timedelta()
    minutes = dt.timedelta(minutes=round(offset.total_seconds() / 60))  # before 1900, it had seconds
    return whole.replace(tzinfo=dt.timezone(minutes)).isoformat()


class ExportedDeployments:
    """Finds the deployment of each photograph, and collects what is written about it."""

    def __init__(self, stored: Mapping[str, DeploymentRecord], zone: str | None) -> None:
        """`zone` is for deployments without one. Raises ExportError if it is not a time zone."""
        self._stored = stored
        self._at: dict[str, list[DeploymentRecord]] = defaultdict(list)
        for record in stored.values():
            self._at[record.location].append(record)
        self._zone = zone
        if zone is not None:
            _zone_of(zone)
        self.used: dict[str, ExportedDeployment] = {}

    def add(self, image: ImageRecord) -> str | None:
        """Add a photograph; returns why it cannot be written, or None if it can."""
        if image.datetime is None:
            return WITHOUT_TIME
        chosen = self._chosen(image)
        if chosen is None:
            return WITHOUT_LOCATION
        deployment = self.used.get(chosen.id)
        if deployment is None:
            record = self._completed(chosen)
            zone = _zone_of(record.timezone) if record.timezone is not None else None
            self.used[chosen.id] = ExportedDeployment(
                record=record, zone=zone, first=image.datetime, last=image.datetime
            )
        else:
            deployment.first = min(deployment.first, image.datetime)
            deployment.last = max(deployment.last, image.datetime)
        return None

    def of(self, image: ImageRecord) -> ExportedDeployment | None:
        """The deployment of a photograph that was added; None if the photograph cannot be written."""
        chosen = self._chosen(image) if image.datetime is not None else None
        return None if chosen is None else self.used[chosen.id]

    def check(self) -> None:
        """Raise ExportError if coordinates or time zones are missing; it names the locations."""
        if not self.used:
            raise ExportError(
                "there is no photograph with a time and a location",
                remedy="import photographs with EXIF times, or from a source that has them",
            )
        records = [deployment.record for deployment in self.used.values()]
        missing = {
            record.location for record in records if record.latitude is None or record.longitude is None
        }
        if missing:
            raise ExportError(
                f"the standard needs coordinates, and there are none of {_listed(missing)}",
                remedy="`wildloop import deployments FILE.csv` reads location, latitude and longitude",
            )
        zoneless = {
            deployment.record.location for deployment in self.used.values() if deployment.zone is None
        }
        if zoneless:
            raise ExportError(
                f"the standard needs a time zone, and there is none of {_listed(zoneless)}",
                remedy="give one with --timezone, such as Europe/Brussels or +02:00, or import a column "
                "timezone with `wildloop import deployments FILE.csv`",
            )

    def _chosen(self, image: ImageRecord) -> DeploymentRecord | None:
        """The photograph's own deployment, else that of its location; of several, the one at its time."""
        own = self._stored.get(image.deployment_id or "")
        if own is not None or image.location is None:
            return own
        there = self._at.get(image.location, [])
        if len(there) == 1:
            return there[0]
        covering = (
            record for record in there if image.datetime is not None and _covers(record, image.datetime)
        )
        whole = (record for record in there if record.id == image.location)
        match = next(covering, None) or next(whole, None)
        if match is not None:
            return match
        is_taken = image.location in self._stored  # by a deployment at another location
        new_id = f"location {image.location}" if is_taken else image.location
        return DeploymentRecord(id=new_id, location=image.location)

    def _completed(self, record: DeploymentRecord) -> DeploymentRecord:
        """The record, with missing fields from other deployments of its location and the export's zone."""
        for other in self._at.get(record.location, ()):
            if record.latitude is None or record.longitude is None:
                record = replace(record, latitude=other.latitude, longitude=other.longitude)
            if record.timezone is None:
                record = replace(record, timezone=other.timezone)
        return record if record.timezone is not None else replace(record, timezone=self._zone)


def _zone_of(name: str) -> dt.tzinfo:
    try:
        return zone_of(name)
    except ValueError as exc:
        raise ExportError(str(exc), remedy="use an IANA name such as Europe/Brussels, or +02:00") from exc


def _covers(record: DeploymentRecord, time: dt.datetime) -> bool:
    after = record.started_at is None or record.started_at <= time
    return after and (record.ended_at is None or time <= record.ended_at)


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - NAMED} more" if len(ordered) > NAMED else ""
    return f"{', '.join(ordered[:NAMED])}{more}"
