"""An existing model version -> current, with a queue of the crops that wait now."""

from __future__ import annotations

from pipeline import version_files
from pipeline.errors import ModelError
from pipeline.records import ModelRecord
from pipeline.steps.learning.pool_state import read_pool_state
from pipeline.steps.learning.predict import load_head
from pipeline.steps.learning.queue import PreparedVersion, activate_version, build_queue
from pipeline.store import embeddings, models, projects
from pipeline.workspace import Workspace


def activate(workspace: Workspace, project_id: int, version: str) -> ModelRecord:
    """Make a version of the project current, with a new queue; nothing is trained.

    The queue leaves out crops labelled meanwhile, and all of it waits to be pushed. A version of another
    embedder changes the project's embedder in the same transaction. Raises StoreError for an unknown
    version; raises ModelError if the version's files are damaged, or if its embedder lacks crops that the
    project's embedder has embedded. The current version then stays current.
    """
    with workspace.database.read() as conn:
        former = projects.get(conn, project_id).embedder
    prepared = _prepare(workspace, project_id, version)
    record = prepared.record
    if record.embedder == former:
        return activate_version(workspace, prepared)
    with workspace.database.write() as conn:
        missing = embeddings.missing_count(conn, record.embedder, embedded_by=former)
        if missing:
            raise ModelError(
                f"{version} needs vectors of {record.embedder}, which {missing} crops lack",
                remedy=f"`{embeddings.use_command(conn, record.embedder, project_id)}` embeds them first",
            )
        projects.change_embedder(conn, project_id, former=former, new=record.embedder)
        models.activate(conn, record, prepared.queue)
    return record


def refill(workspace: Workspace, project_id: int, version: str) -> ModelRecord:
    """Give the current version a new queue.

    Raises as `activate`, and EmbedderChangedError if the project's embedder is not the version's.
    """
    return activate_version(workspace, _prepare(workspace, project_id, version))


def _prepare(workspace: Workspace, project_id: int, version: str) -> PreparedVersion:
    """The version with a new queue, built from the vectors of its own embedder."""
    with workspace.database.read() as conn:
        record = models.get(conn, version)
    if record.project_id != project_id:
        raise ModelError(f"{version} belongs to project {record.project_id}, not {project_id}")
    pool = workspace.pool(record.embedder)
    head, learned = None, []
    if record.path is not None:
        head = load_head(workspace, record)
        head.require(record.embedder, pool.vectors.shape[1])
        learned = version_files.learned(workspace.data_dir, record)
    state = read_pool_state(workspace, pool, project_id)
    return PreparedVersion(record=record, queue=build_queue(workspace, state, version, head, learned))
