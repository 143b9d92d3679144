"""An older model version -> current again, with a queue of what waits now."""

from __future__ import annotations

from pathlib import Path

from pipeline import registry
from pipeline.errors import ModelError
from pipeline.records import ModelRecord
from pipeline.steps.score import covering_queue, learning_queue, settle, waiting_rows
from pipeline.store import candidates, models, projects
from pipeline.store.database import Database
from pipeline.store.pool import open_pool


def activate(database: Database, data_dir: Path, project_id: int, version: str, *, top_k: int) -> ModelRecord:
    """Go back (or forward) to a version of the project: nothing is trained, its queue is made anew.

    Crops that were labelled since are left out of the queue, and all of it waits to be pushed. Raises
    StoreError for an unknown version and ModelError for one whose files are damaged or whose embedder
    the project has left; the current version then stays.
    """
    with database.read() as conn:
        project = projects.get(conn, project_id)
        record = models.get(conn, version)
        waiting = candidates.waiting(conn, project_id)
    if record.project_id != project_id:
        raise ModelError(f"{version} belongs to project {record.project_id}, not {project_id}")
    pool = open_pool(database, data_dir, project.embedder)
    rows = waiting_rows(pool, waiting)
    seed = int(record.digest[:8], 16)
    if record.path is None:
        return settle(database, record, covering_queue(pool, rows, top_k, seed))
    head = registry.load_head(data_dir, record)
    head.require(project.embedder, pool.vectors.shape[1])
    return settle(database, record, learning_queue(database, pool, rows, head, top_k, seed))
