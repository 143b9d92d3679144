"""The deployments of an export, with the coordinates and time zones that the standard needs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.camtrap_dp import number_of
from pipeline.errors import ExportError
from pipeline.exporters.camtrap_dp.source_rows import cells, number, of_deployment, stamp, time_cell
from pipeline.exporters.places import Places
from pipeline.records import DeploymentRecord, ImageRecord
from pipeline.timezones import zone_of

NAMED = 10  # locations that an error message lists

WITHOUT_TIME = "photographs without a time left out: the standard needs one"
OUTSIDE_PERIOD = "photographs that were not taken within the period of their deployment"
WITHOUT_LOCATION = "photographs without a location left out: the standard needs coordinates"


@dataclass(kw_only=True)
class ExportedDeployment:
    """A deployment in the export."""

    record: DeploymentRecord  # has coordinates if `ExportedDeployments` has no problems
    zone: dt.tzinfo | None
    first: dt.datetime  # of its photographs, the camera's clock
    last: dt.datetime

    @property
    def clock(self) -> dt.tzinfo:
        """The zone of its clock."""
        return self.zone or dt.UTC

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
        return stamp(time, self.clock)

    def time(self, time: dt.datetime, came: str | None) -> str:
        """A time of the camera's clock; in the words of its package, `came`, if it is still that time."""
        return (came and time_cell(came, self.clock, time)) or self.stamp(time)

    def row(self, id_: str) -> dict[str, str]:
        """Its row: what a package said of it, as far as the store still says so."""
        record = self.record
        came, _ = of_deployment(record)
        name = came.get("locationName")
        called = name or came.get("locationID") or came.get("deploymentID")
        degrees = {"latitude": record.latitude, "longitude": record.longitude}
        return {
            **cells("deployments", came, self.clock),
            "deploymentID": id_,
            "locationName": (name or "") if called == record.location else record.location,
            **{
                column: came[column].replace(",", ".")
                if column in came and number_of(came[column]) == value
                else number(value)
                for column, value in degrees.items()
            },
            "deploymentStart": self.time(self.started, came.get("deploymentStart")),
            "deploymentEnd": self.time(self.ended, came.get("deploymentEnd")),
        }


class ExportedDeployments:
    """Finds the deployment of each photograph, and collects what is written about it."""

    def __init__(self, stored: Mapping[str, DeploymentRecord], zone: str | None) -> None:
        """`zone` is for deployments without one. Raises ExportError if it is not a time zone."""
        self._stored = stored
        self._places = Places(stored)
        self._zone = zone
        if zone is not None:
            _zone_of(zone)
        self.used: dict[str, ExportedDeployment] = {}

    def add(self, image: ImageRecord) -> str | None:
        """Add a photograph; returns why it cannot be written, or None if it can."""
        if image.datetime is None:
            return WITHOUT_TIME
        chosen = self._places.of(image)
        if chosen is None:
            return WITHOUT_LOCATION
        deployment = self.used.get(chosen.id)
        if deployment is None:
            self.used[chosen.id] = _exported(self._completed(chosen), image.datetime)
        else:
            deployment.first = min(deployment.first, image.datetime)
            deployment.last = max(deployment.last, image.datetime)
        return None

    def of(self, image: ImageRecord) -> ExportedDeployment | None:
        """The deployment of a photograph that was added; None if the photograph cannot be written."""
        chosen = self._places.of(image) if image.datetime is not None else None
        return None if chosen is None else self.used[chosen.id]

    def add_empty(self, packages: Container[str]) -> int:
        """Add the deployments of packages that have no photograph; returns how many cannot be written.

        They tell that a camera stood somewhere and saw nothing.
        """
        left_out = 0
        for record in self._stored.values():
            if record.id in self.used or record.source not in packages:
                continue
            completed = self._completed(record)
            period = (completed.started_at, completed.ended_at)
            if None in (*period, completed.latitude, completed.longitude, completed.timezone):
                left_out += 1
                continue
            self.used[record.id] = _exported(completed, completed.started_at or dt.datetime.min)
        return left_out

    def problems(self) -> Iterator[tuple[str, str]]:
        """What coordinates and time zones are missing, with the remedy; the locations are named.

        Raises ExportError if there is nothing to write.
        """
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
            yield (
                f"the standard needs coordinates, and there are none of {_listed(missing)}",
                "`wildloop import deployments FILE.csv` reads location, latitude and longitude",
            )
        zoneless = {
            deployment.record.location for deployment in self.used.values() if deployment.zone is None
        }
        if zoneless:
            yield (
                f"the standard needs a time zone, and there is none of {_listed(zoneless)}",
                "give one with --timezone, such as Europe/Brussels or +02:00, or import a column "
                "timezone with `wildloop import deployments FILE.csv`",
            )

    def ids(self) -> dict[str, str]:
        """The id by which each deployment is written: that of its package, unless another has it."""
        ids = {id_: id_ for id_ in self.used}
        for id_, deployment in self.used.items():
            came, _ = of_deployment(deployment.record)
            given = came.get("deploymentID", id_)
            if given not in ids.values() and given not in self._stored:
                ids[id_] = given
        return ids

    def _completed(self, record: DeploymentRecord) -> DeploymentRecord:
        """The record, with missing fields from other deployments of its location and the export's zone."""
        for other in self._places.at(record.location):
            if record.latitude is None or record.longitude is None:
                record = replace(record, latitude=other.latitude, longitude=other.longitude)
            if record.timezone is None:
                record = replace(record, timezone=other.timezone)
        return record if record.timezone is not None else replace(record, timezone=self._zone)


def _exported(record: DeploymentRecord, time: dt.datetime) -> ExportedDeployment:
    """A deployment with one photograph, taken at `time`."""
    zone = _zone_of(record.timezone) if record.timezone is not None else None
    return ExportedDeployment(record=record, zone=zone, first=time, last=time)


def _zone_of(name: str) -> dt.tzinfo:
    try:
        return zone_of(name)
    except ValueError as exc:
        raise ExportError(str(exc), remedy="use an IANA name such as Europe/Brussels, or +02:00") from exc


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - NAMED} more" if len(ordered) > NAMED else ""
    return f"{', '.join(ordered[:NAMED])}{more}"
