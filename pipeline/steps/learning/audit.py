"""Audit labels + model versions -> how good the machine's labels are, and what more labels would bring."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import registry, stopping
from pipeline.acquisition.audit import EVERY
from pipeline.arrays import Ints
from pipeline.errors import ModelError
from pipeline.heads import LinearHead
from pipeline.heads.pooling import pooled
from pipeline.records import ModelRecord, ProjectRecord
from pipeline.store import audits, candidates, categories, models, oracle, projects
from pipeline.store.pool import Pool
from pipeline.workspace import Workspace

TARGET = 0.95  # accuracy that the forecast asks for


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditLabels:
    """The audit crops that have a label and a vector, row by row."""

    truth: Ints  # (N,) category ids, by people
    rows: Ints  # (N,) of the pool
    sequences: tuple[str, ...]  # (N,)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the audit says of the project's current version."""

    version: str
    waiting: int  # crops that nobody has labelled: what the figures speak of
    labelled: int  # audit crops with a label
    open: int  # audit crops that wait for a person
    unanswered: int  # audit crops that people passed, are unsure of or disagree on: left out of the figures
    estimates: stopping.Estimates
    pooled: stopping.Estimates  # where the crops of a sequence answer together
    forecast: stopping.Forecast | None


def draw(workspace: Workspace, project_id: int, count: int) -> int:
    """Ask for `count` more audit crops, which come before the queue; returns how many there were to draw."""
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
    pool = workspace.pool(project.embedder)
    with workspace.database.write() as conn:
        waiting = [one for one in candidates.waiting_ids(conn, project_id) if one in pool.index]
        return audits.draw(conn, project_id, waiting, count, requested=True)


def judge(workspace: Workspace, project_id: int, *, target: float = TARGET) -> Judgement | None:
    """Estimates for the current version and a forecast from all versions; None before the first head.

    Raises ModelError where the current version's files are lost.
    """
    with workspace.database.read() as conn:
        current = models.current(conn, project_id)
        sample = audits.sample(conn, project_id)
        waiting = len(candidates.waiting_ids(conn, project_id))
        names = categories.names(conn)
        versions = models.all(conn, project_id)
    if current is None or current.path is None:
        return None
    pool = workspace.pool(current.embedder)
    audit = audit_labels(workspace, pool, project_id)
    head = registry.load_head(workspace.data_dir, current)
    together = _said_together(workspace, head, pool, audit)
    return Judgement(
        version=current.version,
        waiting=waiting,
        labelled=len(audit.truth),
        open=len(sample.requested) + len(sample.waiting),
        unanswered=sample.unanswered,
        estimates=stopping.estimate(audit.truth, _said(head, pool, audit), audit.sequences, names),
        pooled=stopping.estimate(audit.truth, together, audit.sequences, names),
        forecast=_forecast(pool, audit, _heads(workspace.data_dir, versions, current.embedder), target),
    )


def figures(
    workspace: Workspace, pool: Pool, project: ProjectRecord, head: LinearHead, labels: int
) -> dict[str, Any] | None:
    """What the audit says of a new version of so many labels, ready for JSON; None without audit labels."""
    audit = audit_labels(workspace, pool, project.id)
    if not len(audit.truth):
        return None
    with workspace.database.read() as conn:
        names = categories.names(conn)
        versions = models.all(conn, project.id)
    told = stopping.estimate(audit.truth, _said(head, pool, audit), audit.sequences, names)
    known = [*_heads(workspace.data_dir, versions, project.embedder), (labels, head)]
    ahead = _forecast(pool, audit, known, TARGET)
    return told.as_metrics() | {"forecast": None if ahead is None else asdict(ahead)}


def audit_labels(workspace: Workspace, pool: Pool, project_id: int) -> AuditLabels:
    """Those of the project: a sample of its crops that no version has learned from."""
    with workspace.database.read() as conn:
        ids = [one for one in audits.sample(conn, project_id).labelled if one in pool.index]
        labels = oracle.labels(conn, project_id)
        places = candidates.places(conn, ids)
    return AuditLabels(
        truth=np.array([labels[one] for one in ids], np.intp),
        rows=np.array([pool.index[one] for one in ids], np.intp),
        sequences=tuple(places[one].sequence for one in ids),
    )


def _forecast(
    pool: Pool, audit: AuditLabels, known: Sequence[tuple[int, LinearHead]], target: float
) -> stopping.Forecast | None:
    """From versions, each with the number of its labels."""
    if not known:
        return None
    # Of ten labels that people give, one is the audit's.
    labels = np.array([round(labels * EVERY / (EVERY - 1)) for labels, _ in known], np.intp)
    correct = np.array([_said(head, pool, audit) == audit.truth for _, head in known])
    return stopping.forecast(labels, correct, audit.sequences, target=target)


def _said(head: LinearHead, pool: Pool, audit: AuditLabels) -> Ints:
    return head.predict(pool.vectors[audit.rows])


def _said_together(workspace: Workspace, head: LinearHead, pool: Pool, audit: AuditLabels) -> Ints:
    """As `_said`, with the audit crop's whole sequence, as far as it is embedded, answering for it."""
    with workspace.database.read() as conn:
        found = candidates.in_sequences(conn, set(audit.sequences))
    ids = [one for one in found if one in pool.index]
    rows = np.array([pool.index[one] for one in ids], np.intp)
    sequences = np.unique([found[one] for one in ids], return_inverse=True)[1].astype(np.intp)
    together = pooled(head.probabilities(pool.vectors[rows]), sequences)
    order = np.argsort(rows)
    at = order[np.searchsorted(rows, audit.rows, sorter=order)]
    said: Ints = np.array(head.classes, np.intp)[together[at].argmax(axis=1)]
    return said


def _heads(data_dir: Path, versions: Sequence[ModelRecord], embedder: str) -> list[tuple[int, LinearHead]]:
    """Labels and head of every version of this embedder that has one, but those whose files are lost."""
    found = []
    for one in versions:
        if one.path is not None and one.embedder == embedder:
            with suppress(ModelError):
                found.append((one.labels, registry.load_head(data_dir, one)))
    return found
