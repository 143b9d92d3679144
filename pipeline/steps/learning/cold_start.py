"""Embeddings -> the cold start: a version without a head, whose queue covers the pool."""

from __future__ import annotations

from pipeline.errors import ModelError
from pipeline.identity import digest
from pipeline.records import ModelRecord, ProjectRecord, utc_now
from pipeline.steps.learning.pool_state import read_pool_state
from pipeline.steps.learning.queue import PreparedVersion, activate_version, build_queue
from pipeline.store import candidates, models, projects
from pipeline.workspace import Workspace


def cold_start(workspace: Workspace, project_id: int) -> ModelRecord:
    """Order the project's crops so that the first ones cover them all, and activate that.

    The version is named `v0-<digest>`; the same crops give the same version. Its queue is empty if no crop
    waits for a label. Raises ModelError if no crop is embedded, and EmbedderChangedError if the
    project's embedder changes meanwhile.
    """
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
    return activate_version(workspace, prepare_cold_start(workspace, project))


def prepare_cold_start(workspace: Workspace, project: ProjectRecord) -> PreparedVersion:
    """The cold start and its queue, for the embedder of `project`; the stored project stays as it is.

    Raises ModelError if no crop is embedded.
    """
    pool = workspace.pool(project.embedder)
    state = read_pool_state(workspace, pool, project.id)
    ids = [*(pool.ids[row] for row in state.waiting), *state.audit.requested, *state.audit.waiting]
    with workspace.database.read() as conn:
        embedded = candidates.embedded_count(conn, project.embedder)
    if not ids and not embedded:
        raise ModelError(
            f"project {project.id} has no crop that is embedded by {project.embedder}",
            remedy="run `wildloop embed`",
        )
    inputs = digest("cover", str(project.id), project.embedder, *sorted(ids))
    with workspace.database.read() as conn:
        record = models.by_digest(conn, project.id, inputs)
        current = models.current(conn, project.id)
    if record is None:
        record = ModelRecord(
            version=f"v0-{inputs[:8]}",
            project_id=project.id,
            embedder=project.embedder,
            digest=inputs,
            labels=0,
            path=None,
            parent=None if current is None else current.version,
            metrics={"labels_known": 0, "pool": len(ids) or embedded, "embedded": embedded},
            created_at=utc_now(),
        )
    return PreparedVersion(record=record, queue=build_queue(workspace, state, record.version, None, ()))
