"""Embeddings -> a queue before any label: crops that stand for the whole pool come first."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import ModelError
from pipeline.records import ModelRecord, digest, utc_now
from pipeline.steps.score import queue, settle
from pipeline.steps.standing import standing
from pipeline.store import models, projects
from pipeline.store.database import Database
from pipeline.store.pool import open_pool


def cover(database: Database, data_dir: Path, project_id: int, *, top_k: int) -> ModelRecord:
    """Order the project's published crops so that the first ones cover them all, and activate that.

    The version, `v0-<digest>`, has no head; the same crops give the same one. Raises ModelError where
    no published crop is embedded yet.
    """
    with database.read() as conn:
        project = projects.get(conn, project_id)
    pool = open_pool(database, data_dir, project.embedder)
    state = standing(database, pool, project_id, top_k=top_k)
    ids = [*(pool.ids[row] for row in state.waiting), *state.audit.asked, *state.audit.waiting]
    if not ids:
        raise ModelError(
            f"project {project_id} has no published crop that is embedded by {project.embedder}",
            remedy="run `wildloop embed` and `wildloop publish`",
        )
    inputs = digest("cover", str(project_id), project.embedder, *sorted(ids))
    with database.read() as conn:
        record = models.by_digest(conn, project_id, inputs)
        current = models.current(conn, project_id)
    if record is None:
        record = ModelRecord(
            version=f"v0-{inputs[:8]}",
            project_id=project_id,
            embedder=project.embedder,
            digest=inputs,
            labels=0,
            path=None,
            parent=None if current is None else current.version,
            metrics={"labels_known": 0, "pool": len(ids)},
            created_at=utc_now(),
        )
    return settle(database, record, queue(database, state, record.version, None, (), top_k))
