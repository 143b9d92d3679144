"""The deployment of each photograph of an export."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence

from pipeline.records import DeploymentRecord, ImageRecord


class Places:
    """The deployments in the store, and those that locations without any stand for."""

    def __init__(self, stored: Mapping[str, DeploymentRecord]) -> None:
        self._stored = stored
        self._at: dict[str, list[DeploymentRecord]] = defaultdict(list)
        for record in stored.values():
            self._at[record.location].append(record)

    def at(self, location: str) -> Sequence[DeploymentRecord]:
        """The stored deployments at a location."""
        return self._at.get(location, ())

    def of(self, image: ImageRecord) -> DeploymentRecord | None:
        """The photograph's own deployment, else that of its location; of several, the one at its time.

        A location without any is one of its own. None for a photograph without deployment and location.
        """
        own = self._stored.get(image.deployment_id or "")
        if own is not None or image.location is None:
            return own
        there = self.at(image.location)
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


def _covers(record: DeploymentRecord, time: dt.datetime) -> bool:
    after = record.started_at is None or record.started_at <= time
    return after and (record.ended_at is None or time <= record.ended_at)
