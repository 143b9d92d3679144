"""Audit labels + current version -> the predictions that stand as labels without a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline import stopping
from pipeline.arrays import Bools
from pipeline.errors import ModelError
from pipeline.steps.learning.audit import AuditLabels, read_audit_labels
from pipeline.steps.learning.pool_state import rows_of
from pipeline.steps.learning.predict import LoadedVersion, Predictions, load_version
from pipeline.stopping.acceptance import Group
from pipeline.store import acceptances, candidates, categories, models
from pipeline.store.acceptances import Acceptance
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class AcceptedGroup:
    """Species that share one guarantee; a species with enough audit labels is a group of its own."""

    species: tuple[str, ...]
    threshold: float | None  # least probability of an accepted prediction; None: people decide
    above: int  # audit crops predicted with at least this probability; without a threshold, all
    right: int  # of these, predicted correctly
    settled: int  # waiting crops whose prediction is accepted


@dataclass(frozen=True, kw_only=True)
class AcceptReport:
    """Which predictions are accepted, and under what guarantee."""

    version: str
    precision: float
    confidence: float
    audited: int  # audit labels
    groups: tuple[AcceptedGroup, ...]
    settled: int  # waiting crops whose prediction is accepted
    novel: int  # waiting crops far from everything labelled, which are left to people
    waiting: int  # embedded crops that nobody has labelled, the audit's among them


def accept(workspace: Workspace, project_id: int, *, precision: float, confidence: float) -> AcceptReport:
    """Find and store the thresholds of the current version; exports and queues use them from now on.

    With `confidence`, over audits, the accepted predictions of each group keep the `precision` (see
    `stopping.guarantee`). The guarantee covers the crops that wait now: crops that are embedded later
    need audit labels of their own. Raises ModelError if the current version has no head.
    """
    with workspace.database.read() as conn:
        current = models.current(conn, project_id)
    if current is None or current.path is None:
        raise ModelError(
            f"project {project_id} has no version that can predict yet",
            remedy="label some crops, then run `wildloop train`",
        )
    version = load_version(workspace, current)
    with workspace.database.read() as conn:
        names = categories.names(conn)
        waiting = rows_of(version.pool, candidates.waiting_ids(conn))
        audit = read_audit_labels(conn, version.pool, project_id)
    guarantee = _guarantee(version, audit, precision, confidence)
    predictions = version.predict(waiting)
    accepted = guarantee.accepts(predictions.category, predictions.probability) & _reliable(predictions)
    _save(workspace, version, guarantee, audited=len(audit.truth))
    return AcceptReport(
        version=current.version,
        precision=precision,
        confidence=confidence,
        audited=len(audit.truth),
        groups=tuple(
            _group(group, names, settled=int((accepted & np.isin(predictions.category, group.classes)).sum()))
            for group in guarantee.groups
        ),
        settled=int(accepted.sum()),
        novel=int(predictions.novel.sum()),
        waiting=len(waiting),
    )


def _guarantee(
    version: LoadedVersion, audit: AuditLabels, precision: float, confidence: float
) -> stopping.Guarantee:
    predictions = version.predict(audit.rows)
    return stopping.guarantee(
        audit.truth,
        predictions.category,
        predictions.probability,
        precision=precision,
        confidence=confidence,
        reliable=_reliable(predictions),
    )


def _reliable(predictions: Predictions) -> Bools:
    """Which predictions may be accepted (N,): no guesses, and of categories that the project offers."""
    return predictions.offered & ~predictions.novel


def _save(
    workspace: Workspace, version: LoadedVersion, guarantee: stopping.Guarantee, *, audited: int
) -> None:
    acceptance = Acceptance(
        model_version=version.record.version,
        precision=guarantee.precision,
        confidence=guarantee.confidence,
        thresholds={category: least for category, least in guarantee.thresholds.items() if least is not None},
        audited=audited,
        pool_size=len(version.pool),
    )
    with workspace.database.write() as conn:
        acceptances.save(conn, acceptance)


def _group(group: Group, names: Mapping[int, str], *, settled: int) -> AcceptedGroup:
    return AcceptedGroup(
        species=tuple(names[category] for category in group.classes),
        threshold=group.threshold,
        above=group.above,
        right=group.right,
        settled=settled,
    )
