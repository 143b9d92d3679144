"""Oracle + embeddings -> a model version, evaluated on what it did not see, and its queue."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pipeline import heads, registry
from pipeline.errors import ModelError
from pipeline.identity import json_digest
from pipeline.records import ModelRecord, ProjectRecord, Role, utc_now
from pipeline.steps.learning import audit
from pipeline.steps.learning.pool_state import examples_of, learned, read_pool_state
from pipeline.steps.learning.queue import PreparedVersion, activate_version, build_queue
from pipeline.store import audits, candidates, categories, embeddings, models, oracle, projects
from pipeline.store.candidates import CropPlace
from pipeline.store.pool import Pool
from pipeline.workspace import Workspace

RECIPE = 2  # of the training: another number makes another version of the same labels
TOO_FEW = "no labelled crop is embedded yet, beside those of the audit"

log = logging.getLogger(__name__)


def train(workspace: Workspace, project_id: int) -> ModelRecord | None:
    """Learn from every current label but the audit's, make that version current and refill its queue.

    The same labels give the version that they gave before: no new one, and nothing changes unless its
    queue does. None, for the reason `TOO_FEW`, where there is nothing to learn from. Until the end
    the old version stays current; then version, queue and project change in one transaction. Where the
    project went over to another embedder meanwhile, nothing changes: EmbedderChangedError.
    """
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
    ready = prepare_version(workspace, project)
    return None if ready is None else activate_version(workspace, ready)


def prepare_version(workspace: Workspace, project: ProjectRecord) -> PreparedVersion | None:
    """The version of the labels there are, in the vectors of the record's embedder, and its queue.

    Its files are written; the project stays as it is. None, for the reason `TOO_FEW`, where there is
    nothing to learn from.
    """
    with workspace.database.read() as conn:
        labels = learned(conn, project.id)
        known = {
            "labels_known": oracle.label_count(conn, project.id),
            "audit_known": audits.label_count(conn, project.id),
        }
        names = categories.names(conn)
    pool = workspace.pool(project.embedder)
    labelled = sorted(one for one in labels if one in pool.index)
    if not labelled:
        return None
    with workspace.database.read() as conn:
        places = candidates.places(conn, labelled)
    record, head = _version(workspace, project, pool, labels, places, names, known)
    state = read_pool_state(workspace, pool, project.id)
    return PreparedVersion(record=record, queue=build_queue(workspace, state, record.version, head, labelled))


def _version(
    workspace: Workspace,
    project: ProjectRecord,
    pool: Pool,
    labels: Mapping[str, int],
    places: Mapping[str, CropPlace],
    names: Mapping[int, str],
    known: Mapping[str, int],
) -> tuple[ModelRecord, heads.LinearHead]:
    """The version of these labels, with its files written: the stored one, or a new one."""
    inputs = json_digest(
        {
            "recipe": RECIPE,
            "project": project.id,  # a version belongs to one project
            "embedder": project.embedder,
            "labels": [
                [one, labels[one], places[one].sequence, places[one].location] for one in sorted(places)
            ],
        }
    )
    with workspace.database.read() as conn:
        record = models.by_digest(conn, project.id, inputs)
        current = models.current(conn, project.id)
        manifest = embeddings.get_embedder(conn, project.embedder).manifest
        trained = sum(one.labels > 0 for one in models.all(conn, project.id))
    if record is not None:
        try:
            return record, registry.load_head(workspace.data_dir, record)
        except ModelError as exc:  # lost or damaged: the same inputs make its files again
            log.warning("%s is made again: %s", record.version, exc)
    sources = manifest.get("training", {}).get("data", {}).get("sources", ())
    embedder_learned = not {Role.TARGET.value, f"project {project.id}"}.isdisjoint(sources)
    ids = sorted(places)
    fitted = heads.fit(
        examples_of(pool, labels, places, names),
        embedder=project.embedder,
        seed=int(inputs[:8], 16),
    )
    if record is None:
        version = f"v{trained + 1}-{inputs[:8]}"
        record = ModelRecord(
            version=version,
            project_id=project.id,
            embedder=project.embedder,
            digest=inputs,
            labels=len(ids),
            path=f"models/{project.id}/{version}",
            parent=None if current is None else current.version,
            metrics=fitted.metrics
            | {
                **known,
                "pool": len(pool),
                # Then these labels are known to the vectors themselves, and held-out figures are too high.
                "embedder_learned": embedder_learned,
                "audit": audit.figures(workspace, pool, project, fitted.head, len(ids)),
            },
            created_at=utc_now(),
        )
    registry.save(workspace.data_dir, record, fitted.head, names=names, learned=ids)
    return record, fitted.head
