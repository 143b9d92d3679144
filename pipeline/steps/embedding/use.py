"""A project -> another embedder: every crop embedded, a version made with it, then all changes at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.embedders import Embedder
from pipeline.errors import EmbedderError
from pipeline.records import ModelRecord, ProjectRecord
from pipeline.steps.embedding.embed import BrokenCrop, embed
from pipeline.steps.learning.cold_start import prepare_cold_start
from pipeline.steps.learning.queue import PreparedVersion
from pipeline.steps.learning.train import prepare_version
from pipeline.store import embeddings, models, projects, tasks
from pipeline.workspace import Workspace

ROUNDS = 5  # of embedding and learning: crops may come in while a version is made


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of embedder that was made."""

    former: str  # id of the embedder that the project has left
    embedder: str  # id of the one that it works with now
    record: ModelRecord | None  # the version current now; None where nothing is published yet
    left: ModelRecord | None  # the version current before, if there was one
    embedded: int  # crops that had lacked the vector
    broken: tuple[BrokenCrop, ...]  # cannot be read, so the project does without them


def use_embedder(
    workspace: Workspace,
    embedder: Embedder,
    project_id: int,
    *,
    progress: bool = False,
) -> Change | None:
    """Make the project work with `embedder`; None where it does already, and nothing changes.

    Every crop that lacks its vector is embedded, and a version of the current labels is made, or before
    any label a covering order. Until then the former embedder and version answer; embedder, version and
    queue change in one transaction, once no crop that can be read is missing. A killed run is taken up
    where it ended. The former vectors and versions stay. Raises EmbedderChangedError where somebody
    else changed the embedder meanwhile, EmbedderError where new crops kept coming in, and ModelError
    where a project with tasks has no crop to learn from or to order.
    """
    with workspace.database.read() as conn:
        former = projects.get(conn, project_id)
    if former.embedder == embedder.id:
        return None
    project = replace(former, embedder=embedder.id)
    embedded = 0
    for _ in range(ROUNDS):
        report = embed(workspace, embedder, progress=progress)
        embedded += report.embedded
        ready = _ready(workspace, project)
        with workspace.database.read() as conn:
            left = models.current(conn, project_id)
        if _changed(workspace, former, embedder.id, ready, report.broken):
            return Change(
                former=former.embedder,
                embedder=embedder.id,
                record=None if ready is None else ready.record,
                left=left,
                embedded=embedded,
                broken=report.broken,
            )
    raise EmbedderError(
        f"new crops kept coming in, so project {project_id} stays with {former.embedder}",
        remedy="run it again once the import is over: it goes on where it ended",
    )


def _ready(workspace: Workspace, project: ProjectRecord) -> PreparedVersion | None:
    """What the project will work with; None where it has neither a version nor a task yet."""
    ready = prepare_version(workspace, project)
    if ready is not None:
        return ready
    with workspace.database.read() as conn:
        if models.current(conn, project.id) is None and tasks.count(conn, project.id) == 0:
            return None
    return prepare_cold_start(workspace, project)


def _changed(
    workspace: Workspace,
    former: ProjectRecord,
    embedder_id: str,
    ready: PreparedVersion | None,
    broken: tuple[BrokenCrop, ...],
) -> bool:
    """Make the change; False, and nothing happens, where crops or a first version came in meanwhile."""
    with workspace.database.write() as conn:
        unreadable = {crop.detection_id for crop in broken}
        if not embeddings.is_complete(conn, embedder_id, unreadable=unreadable):
            return False
        if ready is None and models.current(conn, former.id) is not None:
            return False
        projects.change_embedder(conn, former.id, former=former.embedder, new=embedder_id)
        if ready is not None:
            models.activate(conn, ready.record, ready.queue)
    return True
