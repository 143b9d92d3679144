"""Acceptance thresholds: the result of `wildloop accept` for each model version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.records import utc_now
from pipeline.store import categories
from pipeline.store.schema import acceptance


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """The guarantee for predictions of one version."""

    model_version: str
    precision: float  # minimum precision of the accepted predictions, 0 to 1
    confidence: float  # confidence level of the guarantee, 0 to 1
    thresholds: Mapping[int, float]  # minimum probability by category id; other categories are not accepted
    audited: int  # audit labels behind the guarantee
    pool_size: int  # embeddings of the version's embedder at that moment: the guarantee covers only these
    accepted_at: dt.datetime | None = None


def save(conn: sa.Connection, new: Acceptance) -> None:
    """Replace the version's acceptance by `new`, or remove it if `new` has no thresholds."""
    conn.execute(sa.delete(acceptance).where(acceptance.c.model_version == new.model_version))
    if not new.thresholds:
        return
    conn.execute(
        sa.insert(acceptance).values(
            model_version=new.model_version,
            precision=new.precision,
            confidence=new.confidence,
            thresholds={str(category): threshold for category, threshold in new.thresholds.items()},
            audited=new.audited,
            pool_size=new.pool_size,
            accepted_at=utc_now(),
        )
    )


def for_version(conn: sa.Connection, version: str) -> Acceptance | None:
    """The version's acceptance, if there is one; a category that was renamed has its present number."""
    row = conn.execute(sa.select(acceptance).where(acceptance.c.model_version == version)).one_or_none()
    if row is None:
        return None
    numbers = categories.resolved(conn)
    return Acceptance(
        model_version=row.model_version,
        precision=row.precision,
        confidence=row.confidence,
        thresholds={
            numbers.get(int(category), int(category)): threshold
            for category, threshold in row.thresholds.items()
        },
        audited=row.audited,
        pool_size=row.pool_size,
        accepted_at=row.accepted_at,
    )


def withdraw(conn: sa.Connection, category_ids: Iterable[int]) -> None:
    """Remove every acceptance of predictions of these categories: they were merged, and mean more now."""
    merged = {str(number) for number in category_ids}
    for row in conn.execute(sa.select(acceptance)).all():
        if merged & row.thresholds.keys():
            this = acceptance.c.model_version == row.model_version
            conn.execute(sa.delete(acceptance).where(this))
