"""From which probability on a version's answers stand without a person, as `wildloop accept` found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.records import utc_now
from pipeline.store.schema import acceptance


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """A promise about one version's answers."""

    model_version: str
    precision: float  # that the accepted answers have at least
    confidence: float  # with which they do
    thresholds: Mapping[int, float]  # by category id; categories that are left to people are absent
    audited: int  # audit labels that it rests on
    pool_size: int  # embeddings of the version's embedder there were: it says nothing of later rows
    accepted_at: dt.datetime | None = None


def save(conn: sa.Connection, given: Acceptance) -> None:
    """Make it the version's one acceptance; one without thresholds leaves the version without."""
    conn.execute(sa.delete(acceptance).where(acceptance.c.model_version == given.model_version))
    if not given.thresholds:
        return
    conn.execute(
        sa.insert(acceptance).values(
            model_version=given.model_version,
            precision=given.precision,
            confidence=given.confidence,
            thresholds={str(one): least for one, least in given.thresholds.items()},
            audited=given.audited,
            pool_size=given.pool_size,
            accepted_at=utc_now(),
        )
    )


def of(conn: sa.Connection, version: str) -> Acceptance | None:
    """The version's acceptance; None where nothing was accepted of it."""
    row = conn.execute(sa.select(acceptance).where(acceptance.c.model_version == version)).one_or_none()
    if row is None:
        return None
    return Acceptance(
        model_version=row.model_version,
        precision=row.precision,
        confidence=row.confidence,
        thresholds={int(one): least for one, least in row.thresholds.items()},
        audited=row.audited,
        pool_size=row.pool_size,
        accepted_at=row.accepted_at,
    )
