"""When the next training is worth while, and how long a queue lasts until then.

What counts are labels that no version has learned: new ones, corrected ones, and such as were taken back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.records import ModelRecord
from pipeline.store import audits, candidates, label_changes, models, oracle

GROWTH = 0.2  # share of new labels, or of new crops before any label, that makes a training worth while


@dataclass(frozen=True, kw_only=True)
class Unlearned:
    """What has happened to a project's labels since a version was made."""

    labels: int  # that are new, or others than then
    audit: int  # of these, labels of the audit, from which no version learns
    wanted: int  # for the next training
    left: int  # crops that wait for people, counted up to `wanted`: no more labels will come

    @property
    def missing(self) -> int:
        """How many more labels make the next training worth while; never more than there will be."""
        return max(0, min(self.wanted - self.labels, self.left))

    @property
    def is_enough(self) -> bool:
        """Whether a training is worth while; the last labels are learned, too."""
        return not self.missing and self.labels > self.audit


def unlearned(conn: sa.Connection, project_id: int, retrain_every: int) -> Unlearned:
    """The labels since the project's newest version, or since the current one if those are fewer.

    The same labels give the same version: one that was made long ago can be the last that was trained.
    """
    versions: Sequence[ModelRecord | None] = _versions(conn, project_id) or [None]
    since = [_since(conn, project_id, record, retrain_every) for record in versions]
    return min(since, key=lambda found: (found.labels - found.wanted, found.labels - found.audit))


def is_enough(conn: sa.Connection, project_id: int, retrain_every: int) -> bool:
    """Whether there are labels enough for a training: `unlearned`, and quick where there are not.

    Every webhook leads to this question.
    """
    if candidates.left_for_people(conn, project_id, limit=1):
        for record in _versions(conn, project_id):
            row, wanted = _row_known(record), new_labels_wanted(labels_known(record), retrain_every)
            if row is not None and label_changes.touched_since(conn, row, limit=wanted) < wanted:
                return False
    return unlearned(conn, project_id, retrain_every).is_enough


def _versions(conn: sa.Connection, project_id: int) -> list[ModelRecord]:
    """The newest version, and the current one if that is another."""
    found = (models.newest(conn, project_id), models.current(conn, project_id))
    return list({record.version: record for record in found if record is not None}.values())


def _since(
    conn: sa.Connection, project_id: int, version: ModelRecord | None, retrain_every: int
) -> Unlearned:
    known = labels_known(version)
    wanted = new_labels_wanted(known, retrain_every)
    left = candidates.left_for_people(conn, project_id, limit=wanted)
    row = _row_known(version)
    if row is None:
        labels = oracle.label_count(conn) - known
        audit = audits.label_count(conn, project_id)
        if version is not None:
            audit -= int(version.metrics.get("audit_known", 0))
    else:
        audited = audits.drawn_ids(conn, project_id)
        changed = label_changes.changed_since(conn, row, limit=wanted + len(audited))
        labels, audit = len(changed), len(changed & audited)
    return Unlearned(labels=labels, audit=audit, wanted=wanted, left=left)


def _row_known(version: ModelRecord | None) -> int | None:
    """The newest row of the oracle when the version was made; cold starts and earlier releases lack it."""
    return None if version is None else version.metrics.get("oracle_known")


def queue_length(labels: int, *, top_k: int, retrain_every: int) -> int:
    """How many crops to queue for a project with so many labels.

    `top_k`, or if more, twice the labels wanted until the next training: annotators then do not run out
    of crops while it is under way.
    """
    return max(top_k, 2 * new_labels_wanted(labels, retrain_every))


def new_labels_wanted(labels: int, retrain_every: int) -> int:
    """How many new labels make the next training worth while: `retrain_every`, or if more, a fifth."""
    return max(retrain_every, math.ceil(GROWTH * labels))


def labels_known(record: ModelRecord | None) -> int:
    """How many labels the project had when the version was made, including those of the audit."""
    return 0 if record is None else int(record.metrics.get("labels_known", record.labels))
