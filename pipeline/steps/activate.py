"""An older model version -> current again, with a queue of what waits now."""

from __future__ import annotations

from pathlib import Path

from pipeline import registry
from pipeline.errors import ModelError
from pipeline.records import ModelRecord
from pipeline.steps.score import queue, settle
from pipeline.steps.standing import standing
from pipeline.store import models, projects
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
    if record.project_id != project_id:
        raise ModelError(f"{version} belongs to project {record.project_id}, not {project_id}")
    pool = open_pool(database, data_dir, project.embedder)
    head, learned = None, []
    if record.path is not None:
        head = registry.load_head(data_dir, record)
        head.require(project.embedder, pool.vectors.shape[1])
        learned = registry.learned(data_dir, record)
    state = standing(database, pool, project_id, top_k=top_k)
    return settle(database, record, queue(database, state, version, head, learned, top_k))
