"""The state of a workspace, read at one moment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pipeline.records import ModelRecord, ProjectRecord, RunKind, RunRecord, RunState, Verdict
from pipeline.steps.learning.confirmations import ConfirmationReport, confirmation_report
from pipeline.steps.learning.empties import EmptiesJudgement, judge_empties
from pipeline.steps.learning.schedule import unlearned
from pipeline.store import (
    acceptances,
    audits,
    candidates,
    categories,
    choices,
    detections,
    embeddings,
    images,
    models,
    oracle,
    overview,
    projects,
    runs,
    tasks,
    workers,
)
from pipeline.store import boxes as drawn_boxes
from pipeline.store.database import place
from pipeline.workspace import Workspace

ERRORS = 5  # newest errors of each kind that are reported


@dataclass(frozen=True, kw_only=True)
class ModelStatus:
    """The current version of a project."""

    version: str
    labels: int  # that it learned from; 0 for a cold start
    created_at: dt.datetime | None
    metrics: Mapping[str, Any]  # held-out and audit metrics, as `heads.evaluation` names them


@dataclass(frozen=True, kw_only=True)
class AcceptedStatus:
    """What `wildloop accept` found for a version."""

    precision: float  # at least, of the accepted predictions
    confidence: float  # of the guarantee
    thresholds: Mapping[str, float]  # least probability, by category; those left to people are absent
    audited: int  # audit labels that it rests on
    accepted_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class RunProgress:
    """A run that waits or is under way."""

    id: int
    kind: str
    state: str
    left: int | None  # crops without a vector; None for other kinds


@dataclass(frozen=True, kw_only=True)
class ProjectStatus:
    """The state of a Label Studio project."""

    id: int
    title: str
    embedder: str
    crops: int  # that can be asked about
    stock: int  # tasks that wait for an answer in Label Studio
    waiting: int  # crops without a label
    done: bool  # whether nothing is left for people
    labelled: int
    unoffered: Mapping[str, int]  # labels by species that the project does not offer
    proposed: Mapping[str, int]  # those of them whose names annotators typed
    unsure: int  # people looked and cannot tell
    skipped: int  # everybody who looked skipped them
    disputed: int  # annotators disagree, and none of their annotations is marked as ground truth
    audit_labels: int  # labelled audit crops
    audit_waiting: int  # audit crops that wait for a label
    confirmations: ConfirmationReport  # how often labels of sequences and boards are wrong
    accepted: AcceptedStatus | None  # for the current version
    versions: int  # trained so far
    model: ModelStatus | None  # None before the cold start
    labels_until_training: int
    training_due: bool
    queued: int  # runs that wait
    running: int  # runs under way
    runs: tuple[RunProgress, ...]  # these, oldest first
    synced_at: dt.datetime | None


@dataclass(frozen=True, kw_only=True)
class RunFailure:
    """A failed run."""

    run: int
    project: int
    kind: str
    at: dt.datetime | None
    error: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """The state of a workspace. The names of its fields are the keys of `wildloop status --json`."""

    store: str  # the database that this was read from: a file, or an address without its password
    workers: int  # that live
    photographs: int  # that could be read
    failed: Mapping[str, int]  # photographs that could not be read, by kind of failure
    damaged: Mapping[str, int]  # photographs with a defect that could be used nevertheless, by kind
    detections: int
    crops: int
    embedded: Mapping[str, int]  # crops, by embedder
    projects: tuple[ProjectStatus, ...]
    uncut: int  # boxes that people drew, whose crops are not cut yet
    empties: EmptiesJudgement | None  # photographs that machines call empty; None: no sample was drawn
    failed_runs: tuple[RunFailure, ...]  # the newest, newest first
    failed_photographs: tuple[overview.FailedPhoto, ...]  # the newest, newest first


def status(workspace: Workspace) -> Status:
    """Read the state in one transaction."""
    retrain_every = workspace.settings.retrain_every
    with workspace.database.read() as conn:
        photographs = images.counts(conn)
        boxes = detections.counts(conn)
        return Status(
            store=place(workspace.settings.database_url),
            workers=len(workers.alive(conn)),
            photographs=photographs["photographs"],
            failed=photographs["failed"],
            damaged=overview.damaged_counts(conn),
            detections=boxes["detections"],
            crops=boxes["crops"],
            embedded=overview.embedded_counts(conn),
            projects=tuple(_project(conn, project, retrain_every) for project in projects.active(conn)),
            uncut=drawn_boxes.without_crop_count(conn),
            empties=judge_empties(conn),
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
    sample = audits.sample(conn, project.id)
    current = models.current(conn, project.id)
    crops, stock = candidates.count(conn), tasks.open_count(conn, project.id)
    open_runs = runs.open_runs(conn, project.id)
    new_labels = unlearned(conn, project.id, retrain_every)
    return ProjectStatus(
        id=project.id,
        title=project.title,
        embedder=project.embedder,
        crops=crops,
        stock=stock,
        waiting=candidates.waiting_count(conn),
        done=bool(crops) and not stock and not candidates.left_for_people(conn, project.id, limit=1),
        labelled=oracle.label_count(conn),
        unoffered=choices.unoffered(conn, project.id),
        proposed=choices.proposed(conn, project.id),
        unsure=overview.unsure_count(conn),
        skipped=sum(answer.verdict is Verdict.SKIPPED for answer in undecided),
        disputed=sum(answer.disputed for answer in undecided),
        audit_labels=len(sample.labelled),
        audit_waiting=len(sample.requested) + len(sample.waiting),
        confirmations=confirmation_report(conn, project.id),
        accepted=None if current is None else _accepted(conn, current.version),
        versions=overview.trained_count(conn, project.id),
        model=_model(current),
        labels_until_training=new_labels.missing,
        training_due=new_labels.is_enough,
        queued=sum(run.state is RunState.QUEUED for run in open_runs),
        running=sum(run.state is RunState.RUNNING for run in open_runs),
        runs=tuple(_progress(conn, project, run) for run in open_runs),
        synced_at=project.synced_at,
    )


def _progress(conn: sa.Connection, project: ProjectRecord, run: RunRecord) -> RunProgress:
    left = None
    if run.kind is RunKind.EMBED:
        left = embeddings.missing_count(conn, project.embedder)
    return RunProgress(id=run.id, kind=run.kind, state=run.state, left=left)


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
