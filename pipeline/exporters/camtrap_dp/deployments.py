"""The deployments of an export: each photograph's, with the coordinates and clock that the standard needs."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pipeline.errors import ExportError
from pipeline.records import DeploymentRecord, ImageRecord
from pipeline.timezones import zone_of

NAMED = 10  # locations that an error lists

WITHOUT_TIME = "photographs without a time left out: the standard needs one"
OUTSIDE_PERIOD = "photographs that were not taken within the period of their deployment"
WITHOUT_LOCATION = "photographs without a location left out: the standard needs coordinates"


@dataclass(kw_only=True)
class ExportedDeployment:
    """A deployment as it is written."""

    record: DeploymentRecord  # with coordinates, unless the export ends with an error
    zone: dt.tzinfo | None
    first: dt.datetime  # of its photographs, the camera's clock
    last: dt.datetime

    @property
    def started(self) -> dt.datetime:
        """The camera's clock; where the store has no start, the first photograph's."""
        return self.record.started_at or min(self.first, self.record.ended_at or self.first)

    @property
    def ended(self) -> dt.datetime:
        """The camera's clock; where the store has no end, the last photograph's."""
        return self.record.ended_at or max(self.last, self.record.started_at or self.last)

    def was_there(self, moment: dt.datetime) -> bool:
        """Whether the moment is within the deployment's period."""
        return self.started <= moment <= self.ended

    def stamp(self, moment: dt.datetime) -> str:
        """A moment of the camera's clock as the standard writes it: to the second, with its offset."""
        return stamp(moment, self.zone or dt.UTC)


def stamp(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """A moment of a clock in `zone`, to the second, with the offset to the minute."""
    whole = moment.replace(microsecond=0, tzinfo=None)
    offset = whole.replace(tzinfo=zone).utcoffset() or dt.timedelta()
    minutes = dt.timedelta(minutes=round(offset.total_seconds() / 60))  # in the 19th century it had seconds
    return whole.replace(tzinfo=dt.timezone(minutes)).isoformat()


class ExportedDeployments:
    """Finds each photograph's deployment, and gathers what is written of it."""

    def __init__(self, stored: Mapping[str, DeploymentRecord], zone: str | None) -> None:
        """`zone` is of deployments that name none. Raises ExportError where it is no time zone."""
        self._stored = stored
        self._at: dict[str, list[DeploymentRecord]] = defaultdict(list)
        for record in stored.values():
            self._at[record.location].append(record)
        self._zone = zone
        if zone is not None:
            _zone_of(zone)
        self.used: dict[str, ExportedDeployment] = {}

    def add(self, image: ImageRecord) -> str | None:
        """Take a photograph into account; returns why it cannot be written, None where it can."""
        if image.datetime is None:
            return WITHOUT_TIME
        chosen = self._chosen(image)
        if chosen is None:
            return WITHOUT_LOCATION
        camera = self.used.get(chosen.id)
        if camera is None:
            record = self._completed(chosen)
            zone = _zone_of(record.timezone) if record.timezone is not None else None
            self.used[chosen.id] = ExportedDeployment(
                record=record, zone=zone, first=image.datetime, last=image.datetime
            )
        else:
            camera.first = min(camera.first, image.datetime)
            camera.last = max(camera.last, image.datetime)
        return None

    def of(self, image: ImageRecord) -> ExportedDeployment | None:
        """The camera of a photograph that was added; None where it cannot be written."""
        chosen = self._chosen(image) if image.datetime is not None else None
        return None if chosen is None else self.used[chosen.id]

    def check(self) -> None:
        """Raise ExportError where the standard's demands are not met, naming the locations."""
        if not self.used:
            raise ExportError(
                "there is no photograph with a time and a location",
                remedy="import photographs with EXIF times, or from a source that tells them",
            )
        records = [camera.record for camera in self.used.values()]
        lost = {one.location for one in records if one.latitude is None or one.longitude is None}
        if lost:
            raise ExportError(
                f"the standard needs coordinates, and there are none of {_listed(lost)}",
                remedy="`wildloop import deployments FILE.csv` takes in location, latitude and longitude",
            )
        clockless = {one.record.location for one in self.used.values() if one.zone is None}
        if clockless:
            raise ExportError(
                f"the standard needs a time zone, and there is none of {_listed(clockless)}",
                remedy="name one with --timezone, such as Europe/Brussels or +02:00, or take in a column "
                "timezone with `wildloop import deployments FILE.csv`",
            )

    def _chosen(self, image: ImageRecord) -> DeploymentRecord | None:
        """A photograph's own deployment, else the one of its location, of several the one of its time."""
        own = self._stored.get(image.deployment_id or "")
        if own is not None or image.location is None:
            return own
        there = self._at.get(image.location, [])
        if len(there) == 1:
            return there[0]
        covering = (one for one in there if image.datetime is not None and _covers(one, image.datetime))
        whole = (one for one in there if one.id == image.location)
        found = next(covering, None) or next(whole, None)
        if found is not None:
            return found
        is_taken = image.location in self._stored  # by a deployment elsewhere
        made = f"location {image.location}" if is_taken else image.location
        return DeploymentRecord(id=made, location=image.location)

    def _completed(self, record: DeploymentRecord) -> DeploymentRecord:
        """With what it lacks and other deployments of its location have, and the zone of the export."""
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
        raise ExportError(str(exc), remedy="an IANA name such as Europe/Brussels, or +02:00") from exc


def _covers(record: DeploymentRecord, moment: dt.datetime) -> bool:
    after = record.started_at is None or record.started_at <= moment
    return after and (record.ended_at is None or moment <= record.ended_at)


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - NAMED} more" if len(ordered) > NAMED else ""
    return f"{', '.join(ordered[:NAMED])}{more}"
