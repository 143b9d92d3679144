"""Oracle + embeddings -> a model version with held-out metrics, and its queue."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pipeline import heads, version_files
from pipeline.errors import ModelError
from pipeline.identity import json_digest
from pipeline.records import ModelRecord, ProjectRecord, Role, utc_now
from pipeline.steps.learning.audit import audit_metrics
from pipeline.steps.learning.pool_state import read_pool_state
from pipeline.steps.learning.predict import load_head
from pipeline.steps.learning.queue import PreparedVersion, activate_version, build_queue
from pipeline.steps.learning.training_set import TrainingSet, read_training_set
from pipeline.store import audits, embeddings, label_changes, models, oracle, projects
from pipeline.workspace import Workspace

RECIPE = 2  # of the training: another number makes another version of the same labels
TOO_FEW = "no labelled crop is embedded yet, apart from those of the audit"

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Inputs:
    """All that a training reads, at one moment."""

    project: ProjectRecord  # with the embedder to train for
    crops: TrainingSet
    digest: str  # of the labels, the places and the embedder
    counts: Mapping[str, int]  # metrics that say when the next training is due
    stored: ModelRecord | None  # the version of these inputs, if it was made before
    current: ModelRecord | None
    next_number: int  # of a new version
    embedder_learned: bool  # whether the embedder itself has learned from these labels


def train(workspace: Workspace, project_id: int) -> ModelRecord | None:
    """Train on every current label but the audit's, and make that version current with a new queue.

    The same labels give the same version again, and nothing changes unless its queue does. Returns None,
    for the reason `TOO_FEW`, if there is nothing to learn from. The former version stays current until
    the end; then version, queue and project change in one transaction. Raises EmbedderChangedError if
    the project's embedder changes meanwhile; nothing else changes then.
    """
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
    prepared = prepare_version(workspace, project)
    return None if prepared is None else activate_version(workspace, prepared)


def prepare_version(workspace: Workspace, project: ProjectRecord) -> PreparedVersion | None:
    """The version of the current labels and its queue, for the embedder of `project`.

    Its files are written; the stored project stays as it is. Returns None, for the reason `TOO_FEW`, if
    there is nothing to learn from.
    """
    pool = workspace.pool(project.embedder)
    with workspace.database.read() as conn:
        crops = read_training_set(conn, pool, project.id)
        if not crops.ids:
            return None
        inputs = _read_inputs(conn, project, crops)
    record, head = _stored_version(workspace, inputs) or _new_version(workspace, inputs)
    state = read_pool_state(workspace, pool, project.id)
    return PreparedVersion(
        record=record, queue=build_queue(workspace, state, record.version, head, crops.ids)
    )


def _read_inputs(conn: sa.Connection, project: ProjectRecord, crops: TrainingSet) -> _Inputs:
    digest = json_digest(
        {
            "recipe": RECIPE,
            "project": project.id,  # a version belongs to one project
            "embedder": project.embedder,
            "labels": [
                [crop, crops.labels[crop], crops.places[crop].sequence, crops.places[crop].location]
                for crop in crops.ids
            ],
        }
    )
    manifest = embeddings.get_embedder(conn, project.embedder).manifest
    return _Inputs(
        project=project,
        crops=crops,
        digest=digest,
        counts={
            "labels_known": oracle.label_count(conn),
            "oracle_known": label_changes.last_row(conn),
            "audit_known": audits.label_count(conn, project.id),
            "pool": len(crops.pool),
        },
        stored=models.by_digest(conn, project.id, digest),
        current=models.current(conn, project.id),
        next_number=1 + sum(record.labels > 0 for record in models.all(conn, project.id)),
        embedder_learned=_has_learned(manifest, project),
    )


def _has_learned(manifest: Mapping[str, Any], project: ProjectRecord) -> bool:
    """Whether an embedder was trained on labels of the target pool."""
    sources = manifest.get("training", {}).get("data", {}).get("sources", ())
    return not {Role.TARGET.value, f"project {project.id}"}.isdisjoint(sources)


def _stored_version(workspace: Workspace, inputs: _Inputs) -> tuple[ModelRecord, heads.LinearHead] | None:
    """The version made of the same inputs before; None if there is none or its files are damaged."""
    if inputs.stored is None:
        return None
    try:
        return inputs.stored, load_head(workspace, inputs.stored)
    except ModelError as exc:
        log.warning("%s is trained again: %s", inputs.stored.version, exc)
        return None


def _new_version(workspace: Workspace, inputs: _Inputs) -> tuple[ModelRecord, heads.LinearHead]:
    """Fit a head and write the version's files; a version whose files were damaged keeps its record."""
    project, crops = inputs.project, inputs.crops
    fitted = heads.fit(crops.examples(), embedder=project.embedder, seed=int(inputs.digest[:8], 16))
    record = inputs.stored
    if record is None:
        version = f"v{inputs.next_number}-{inputs.digest[:8]}"
        audit = audit_metrics(workspace, crops.pool, project, fitted.head, len(crops.ids))
        record = ModelRecord(
            version=version,
            project_id=project.id,
            embedder=project.embedder,
            digest=inputs.digest,
            labels=len(crops.ids),
            path=f"models/{project.id}/{version}",
            parent=None if inputs.current is None else inputs.current.version,
            # If the embedder has learned from these labels, the held-out metrics are too optimistic.
            metrics={
                **fitted.metrics,
                **inputs.counts,
                "embedder_learned": inputs.embedder_learned,
                "audit": audit,
            },
            created_at=utc_now(),
        )
    version_files.save(workspace.data_dir, record, fitted.head, names=crops.names, learned=crops.ids)
    return record, fitted.head
