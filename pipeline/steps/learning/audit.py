"""Audit labels + model versions -> how accurate the versions are, and what more labels would bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from pipeline import stopping
from pipeline.arrays import Ints
from pipeline.errors import ModelError
from pipeline.heads import LinearHead
from pipeline.heads.pooling import pooled
from pipeline.records import ModelRecord, ProjectRecord
from pipeline.steps.learning.predict import load_head
from pipeline.store import audits, candidates, categories, models, oracle, projects
from pipeline.store.pool import Pool
from pipeline.workspace import Workspace

TARGET = 0.95  # the accuracy that a forecast is about, if none is named


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditLabels:
    """The N audit crops that have a label and an embedding: a sample that no version learned from."""

    truth: Ints  # (N,) category ids, by people
    rows: Ints  # (N,) of the pool
    sequences: tuple[str, ...]  # (N,)
    queued: int  # of all audit labels, those that came with a queue, without being asked for


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the audit shows about the project's current version."""

    version: str
    waiting: int  # crops that nobody has labelled: those that the estimates are about
    labelled: int  # audit crops with a label
    open: int  # audit crops that wait for a person
    unanswered: int  # audit crops that people skipped, found unsure or dispute: left out of the estimates
    estimates: stopping.Estimates
    pooled: stopping.Estimates  # with the predictions of each sequence pooled
    forecast: stopping.Forecast | None


def draw(workspace: Workspace, project_id: int, count: int) -> int:
    """Draw `count` more audit crops, which come before the queue.

    Returns how many were drawn: fewer if fewer crops wait.
    """
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
    pool = workspace.pool(project.embedder)
    with workspace.database.write() as conn:
        waiting = [crop for crop in candidates.waiting_ids(conn) if crop in pool.index]
        return audits.draw(conn, project_id, waiting, count, requested=True)


def judge(workspace: Workspace, project_id: int, *, target: float = TARGET) -> Judgement | None:
    """Estimates for the current version, and a forecast from all versions; None without a head.

    The forecast is how many labels an accuracy of `target` needs. Raises ModelError if the current
    version's files are damaged.
    """
    with workspace.database.read() as conn:
        current = models.current(conn, project_id)
    if current is None or current.path is None:
        return None
    pool = workspace.pool(current.embedder)
    with workspace.database.read() as conn:
        sample = audits.sample(conn, project_id)
        audit = read_audit_labels(conn, pool, project_id)
        sequence_of = candidates.in_sequences(conn, set(audit.sequences))
        waiting = len(candidates.waiting_ids(conn))
        names = categories.names(conn)
        versions = models.all(conn, project_id)
    head = load_head(workspace, current)
    alone, together = _predictions(head, pool, audit), _pooled_predictions(head, pool, audit, sequence_of)
    return Judgement(
        version=current.version,
        waiting=waiting,
        labelled=len(audit.truth),
        open=len(sample.requested) + len(sample.waiting),
        unanswered=sample.unanswered,
        estimates=stopping.estimate(audit.truth, alone, audit.sequences, names),
        pooled=stopping.estimate(audit.truth, together, audit.sequences, names),
        forecast=_forecast(pool, audit, _heads(workspace, versions, current.embedder), target),
    )


def audit_metrics(
    workspace: Workspace, pool: Pool, project: ProjectRecord, head: LinearHead, labels: int
) -> dict[str, Any] | None:
    """The audit's estimates and forecast for a new version with `labels` labels, ready for JSON.

    None without audit labels.
    """
    with workspace.database.read() as conn:
        audit = read_audit_labels(conn, pool, project.id)
        names = categories.names(conn)
        versions = models.all(conn, project.id)
    if not len(audit.truth):
        return None
    estimates = stopping.estimate(audit.truth, _predictions(head, pool, audit), audit.sequences, names)
    heads = [*_heads(workspace, versions, project.embedder), (labels, head)]
    forecast = _forecast(pool, audit, heads, TARGET)
    return estimates.as_metrics() | {"forecast": None if forecast is None else asdict(forecast)}


def read_audit_labels(conn: sa.Connection, pool: Pool, project_id: int) -> AuditLabels:
    """The project's audit labels, as far as their crops are published and `pool` has embeddings of them."""
    labels = oracle.labels(conn)
    ids = [crop for crop in audits.sample(conn, project_id).labelled if crop in pool.index and crop in labels]
    places = candidates.places(conn, ids)
    return AuditLabels(
        truth=np.array([labels[crop] for crop in ids], np.intp),
        rows=np.array([pool.index[crop] for crop in ids], np.intp),
        sequences=tuple(places[crop].sequence for crop in ids),
        queued=audits.label_count(conn, project_id, requested=False),
    )


def _forecast(
    pool: Pool, audit: AuditLabels, heads: Sequence[tuple[int, LinearHead]], target: float
) -> stopping.Forecast | None:
    """The forecast from heads, each with the number of labels it learned from; None without heads."""
    if not heads:
        return None
    # Heads do not learn from the audit labels that people give with a queue. Of tasks these are one in ten,
    # of labels fewer: a sequence or a board has several.
    learned = np.array([labels for labels, _ in heads], np.intp)
    labels = np.rint(learned * (1 + audit.queued / learned.max())).astype(np.intp)
    correct = np.array([_predictions(head, pool, audit) == audit.truth for _, head in heads])
    return stopping.forecast(labels, correct, audit.sequences, target=target)


def _predictions(head: LinearHead, pool: Pool, audit: AuditLabels) -> Ints:
    """The predicted category of each audit crop: (N,)."""
    return head.predict(pool.vectors[audit.rows])


def _pooled_predictions(
    head: LinearHead, pool: Pool, audit: AuditLabels, sequence_of: Mapping[str, str]
) -> Ints:
    """As `_predictions`, each from all embedded crops of the audit crop's sequence.

    `sequence_of` has the sequence of every detection of these sequences.
    """
    ids = [crop for crop in sequence_of if crop in pool.index]
    rows = np.array([pool.index[crop] for crop in ids], np.intp)
    sequences = np.unique([sequence_of[crop] for crop in ids], return_inverse=True)[1].astype(np.intp)
    probabilities = pooled(head.probabilities(pool.vectors[rows]), sequences)
    order = np.argsort(rows)
    positions = order[np.searchsorted(rows, audit.rows, sorter=order)]
    predicted: Ints = np.array(head.classes, np.intp)[probabilities[positions].argmax(axis=1)]
    return predicted


def _heads(
    workspace: Workspace, versions: Sequence[ModelRecord], embedder: str
) -> list[tuple[int, LinearHead]]:
    """Number of labels and head of every version of this embedder, without those whose files are damaged."""
    heads = []
    for record in versions:
        if record.path is not None and record.embedder == embedder:
            with suppress(ModelError):
                heads.append((record.labels, load_head(workspace, record)))
    return heads
