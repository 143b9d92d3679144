"""Annotations of people and sources, written directly into the oracle."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.records import AnnotationRecord
from pipeline.store import oracle
from pipeline.store.database import Database


def record(database: Database, annotations: Sequence[AnnotationRecord]) -> int:
    """Append the states that are new and refresh their detections; returns how many were new."""
    with database.write() as conn:
        new = oracle.append(conn, annotations)
        oracle.update_labels(conn, {annotation.detection_id for annotation in annotations})
        return new
