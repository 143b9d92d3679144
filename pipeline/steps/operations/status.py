"""Everything that is known of how far the work is, read at one moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pipeline.records import ModelRecord, ProjectRecord, RunState, Verdict
from pipeline.steps.learning.schedule import next_training
from pipeline.store import (
    acceptances,
    audits,
    categories,
    detections,
    images,
    models,
    oracle,
    overview,
    projects,
    tasks,
)
from pipeline.workspace import Workspace

ERRORS = 5  # of each kind that are told


@dataclass(frozen=True, kw_only=True)
class ModelStatus:
    """The version that a project works with."""

    version: str
    labels: int  # that it learned from; 0 for the covering order before any label
    created_at: dt.datetime | None
    metrics: Mapping[str, Any]  # on what was held out from it; heads.evaluation names them


@dataclass(frozen=True, kw_only=True)
class AcceptedStatus:
    """What `wildloop accept` found for a version."""

    precision: float  # at least, of the accepted predictions
    confidence: float  # of the guarantee
    thresholds: Mapping[str, float]  # least probability, by category; those left to people are absent
    audited: int  # audit labels that it rests on
    accepted_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class ProjectStatus:
    """One project of Label Studio."""

    id: int
    title: str
    embedder: str
    published: int  # tasks
    labelled: int
    unsure: int  # people looked and cannot tell
    skipped: int  # everybody who saw them passed
    disputed: int  # labels tie: somebody has to settle them
    audit_labels: int  # of crops drawn at random, that no version learns from
    audit_waiting: int  # audit crops that nobody has labelled
    accepted: AcceptedStatus | None  # for the current version
    versions: int  # trained so far
    model: ModelStatus | None  # None before the first order
    labels_until_training: int
    queued: int  # runs
    running: int
    synced_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class RunFailure:
    """A run that ended with an error."""

    run: int
    project: int
    kind: str
    at: dt.datetime | None
    error: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """How far everything is. The names of its fields are the keys of `wildloop status --json`."""

    photographs: int  # that could be read
    failed: Mapping[str, int]  # photographs that could not, by kind of failure
    detections: int
    crops: int
    embedded: Mapping[str, int]  # crops, by embedder
    projects: tuple[ProjectStatus, ...]
    failed_runs: tuple[RunFailure, ...]  # the newest first, a few
    failed_photographs: tuple[overview.FailedPhoto, ...]  # the newest first, a few


def status(workspace: Workspace) -> Status:
    """Read the whole state in one transaction."""
    retrain_every = workspace.settings.retrain_every
    with workspace.database.read() as conn:
        photographs = images.counts(conn)
        found = detections.counts(conn)
        return Status(
            photographs=photographs["photographs"],
            failed=photographs["failed"],
            detections=found["detections"],
            crops=found["crops"],
            embedded=overview.embedded_counts(conn),
            projects=tuple(_project(conn, each, retrain_every) for each in projects.all(conn)),
            failed_runs=tuple(
                RunFailure(
                    run=row.id,
                    project=row.project_id,
                    kind=row.kind,
                    at=row.finished_at,
                    error=row.error or "",
                )
                for row in overview.last_failed_runs(conn, ERRORS)
            ),
            failed_photographs=tuple(overview.last_failed_photos(conn, ERRORS)),
        )


def _project(conn: sa.Connection, project: ProjectRecord, retrain_every: int) -> ProjectStatus:
    undecided = oracle.undecided(conn, project.id).values()
    labelled = oracle.label_count(conn, project.id)
    sample = audits.sample(conn, project.id)
    current = models.current(conn, project.id)
    runs = overview.runs_by_state(conn, project.id)
    wanted = next_training(models.newest(conn, project.id), retrain_every)
    return ProjectStatus(
        id=project.id,
        title=project.title,
        embedder=project.embedder,
        published=tasks.count(conn, project.id),
        labelled=labelled,
        unsure=overview.unsure_count(conn, project.id),
        skipped=sum(answer.verdict is Verdict.SKIPPED for answer in undecided),
        disputed=sum(answer.disputed for answer in undecided),
        audit_labels=len(sample.labelled),
        audit_waiting=len(sample.requested) + len(sample.waiting),
        accepted=None if current is None else _accepted(conn, current.version),
        versions=overview.trained_count(conn, project.id),
        model=_model(current),
        labels_until_training=max(0, wanted - labelled),
        queued=runs.get(RunState.QUEUED, 0),
        running=runs.get(RunState.RUNNING, 0),
        synced_at=project.synced_at,
    )


def _accepted(conn: sa.Connection, version: str) -> AcceptedStatus | None:
    found = acceptances.for_version(conn, version)
    if found is None:
        return None
    names = categories.names(conn)
    return AcceptedStatus(
        precision=found.precision,
        confidence=found.confidence,
        thresholds={names[category]: least for category, least in found.thresholds.items()},
        audited=found.audited,
        accepted_at=found.accepted_at,
    )


def _model(record: ModelRecord | None) -> ModelStatus | None:
    if record is None:
        return None
    return ModelStatus(
        version=record.version,
        labels=record.labels,
        created_at=record.created_at,
        metrics=dict(record.metrics),
    )
