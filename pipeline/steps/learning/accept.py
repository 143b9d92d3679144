"""Audit labels + current version -> from which probability on its answers stand without a person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline import registry, stopping
from pipeline.errors import ModelError
from pipeline.steps.learning.audit import audit_labels
from pipeline.steps.learning.pool_state import novelty_detector, rows_of
from pipeline.steps.learning.predict import predict_rows
from pipeline.store import acceptances, candidates, categories, models
from pipeline.store.acceptances import Acceptance
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class AcceptedGroup:
    """Species that are promised together: one by itself where the audit has enough of it."""

    species: tuple[str, ...]
    threshold: float | None  # None: people decide
    above: int  # audit crops at the threshold or surer; without one, all of them
    right: int  # of these
    settled: int  # waiting crops


@dataclass(frozen=True, kw_only=True)
class AcceptReport:
    """What may stand without a person."""

    version: str
    precision: float
    confidence: float
    audited: int  # audit labels
    groups: tuple[AcceptedGroup, ...]
    settled: int  # waiting crops whose answer stands
    novel: int  # waiting crops that are far from everything labelled, left to people
    waiting: int  # embedded crops that nobody has labelled, the audit's among them


def accept(workspace: Workspace, project_id: int, *, precision: float, confidence: float) -> AcceptReport:
    """Find and store the current version's thresholds; exports use them from now on.

    The promise speaks of the crops that wait now: cameras that come later need audit labels of their
    own. Raises ModelError before the first head.
    """
    with workspace.database.read() as conn:
        current = models.current(conn, project_id)
        names = categories.names(conn)
        waiting = candidates.waiting_ids(conn, project_id)
    if current is None or current.path is None:
        raise ModelError(
            f"project {project_id} has no version that answers yet", remedy="label, then `wildloop train`"
        )
    pool = workspace.pool(current.embedder)
    head = registry.load_head(workspace.data_dir, current)
    known = novelty_detector(workspace, pool, registry.learned(workspace.data_dir, current))
    audit = audit_labels(workspace, pool, project_id)
    answers = predict_rows(head, known, pool.vectors, audit.rows)
    promise = stopping.guarantee(
        audit.truth,
        answers.said,
        answers.probability,
        precision=precision,
        confidence=confidence,
        reliable=~answers.novel,
    )
    rows = rows_of(pool, waiting)
    machine = predict_rows(head, known, pool.vectors, rows)
    stands = promise.accepts(machine.said, machine.probability) & ~machine.novel
    with workspace.database.write() as conn:
        acceptances.save(
            conn,
            Acceptance(
                model_version=current.version,
                precision=precision,
                confidence=confidence,
                thresholds={one: least for one, least in promise.thresholds.items() if least is not None},
                audited=len(audit.truth),
                pool_size=len(pool),
            ),
        )
    return AcceptReport(
        version=current.version,
        precision=precision,
        confidence=confidence,
        audited=len(audit.truth),
        groups=tuple(
            AcceptedGroup(
                species=tuple(names[one] for one in group.classes),
                threshold=group.threshold,
                above=group.above,
                right=group.right,
                settled=int((stands & np.isin(machine.said, group.classes)).sum()),
            )
            for group in promise.groups
        ),
        settled=int(stands.sum()),
        novel=int(machine.novel.sum()),
        waiting=len(rows),
    )
