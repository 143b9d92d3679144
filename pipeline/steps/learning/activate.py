"""An older model version -> current again, with a queue of what waits now."""

from __future__ import annotations

from pipeline import registry
from pipeline.errors import ModelError
from pipeline.records import ModelRecord
from pipeline.steps.learning.pool_state import read_pool_state
from pipeline.steps.learning.queue import PreparedVersion, activate_version, build_queue
from pipeline.store import embeddings, models, projects
from pipeline.workspace import Workspace


def activate(workspace: Workspace, project_id: int, version: str) -> ModelRecord:
    """Go back (or forward) to a version of the project: nothing is trained, its queue is made anew.

    Crops that were labelled since are left out of the queue, and all of it waits to be pushed. A version
    of another embedder takes the project back to that embedder, in the same transaction. Raises
    StoreError for an unknown version and ModelError for one whose files are damaged, or whose embedder
    lacks crops that the project's has embedded; the current version then stays.
    """
    with workspace.database.read() as conn:
        former = projects.get(conn, project_id).embedder
    ready = _ready(workspace, project_id, version)
    record = ready.record
    if record.embedder == former:
        return activate_version(workspace, ready)
    with workspace.database.write() as conn:
        behind = embeddings.missing_count(conn, record.embedder, embedded_by=former)
        if behind:
            raise ModelError(
                f"{version} reads vectors of {record.embedder}, which {behind} crops lack",
                remedy=f"`{embeddings.use_command(conn, record.embedder, project_id)}` embeds them first",
            )
        projects.change_embedder(conn, project_id, former=former, new=record.embedder)
        models.activate(conn, record, ready.queue)
    return record


def refill(workspace: Workspace, project_id: int, version: str) -> ModelRecord:
    """Make the queue of the version that is current anew. Raises as `activate`.

    EmbedderChangedError where the project went over to another embedder meanwhile: that stands.
    """
    return activate_version(workspace, _ready(workspace, project_id, version))


def _ready(workspace: Workspace, project_id: int, version: str) -> PreparedVersion:
    """The version with a queue of what waits now, in the vectors of its own embedder."""
    with workspace.database.read() as conn:
        record = models.get(conn, version)
    if record.project_id != project_id:
        raise ModelError(f"{version} belongs to project {record.project_id}, not {project_id}")
    pool = workspace.pool(record.embedder)
    head, learned = None, []
    if record.path is not None:
        head = registry.load_head(workspace.data_dir, record)
        head.require(record.embedder, pool.vectors.shape[1])
        learned = registry.learned(workspace.data_dir, record)
    state = read_pool_state(workspace, pool, project_id)
    return PreparedVersion(record=record, queue=build_queue(workspace, state, version, head, learned))
