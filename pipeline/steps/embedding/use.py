"""A project -> another embedder: embed every crop, make a version with it, then change all at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.embedders import Embedder
from pipeline.errors import EmbedderError
from pipeline.records import ModelRecord, ProjectRecord
from pipeline.steps.embedding.embed import BrokenCrop, embed
from pipeline.steps.learning.cold_start import prepare_cold_start
from pipeline.steps.learning.queue import PreparedVersion
from pipeline.steps.learning.train import prepare_version
from pipeline.store import candidates, embeddings, models, projects
from pipeline.workspace import Workspace

ROUNDS = 5  # of embedding and training: new crops may come in while a version is made


@dataclass(frozen=True, kw_only=True)
class EmbedderChange:
    """A change of a project's embedder."""

    former: str  # id of the embedder before
    embedder: str  # id of the embedder now
    record: ModelRecord | None  # the current version now; None if nothing is published yet
    former_record: ModelRecord | None  # the current version before, if there was one
    embedded: int  # crops that lacked the vector
    broken: tuple[BrokenCrop, ...]  # crops that cannot be read, which the project does without


def use_embedder(
    workspace: Workspace, embedder: Embedder, project_id: int, *, progress: bool = False
) -> EmbedderChange | None:
    """Make the project use `embedder`; returns None, and changes nothing, if it does already.

    Embeds every crop that lacks its vector and makes a version of the current labels, or a cold start
    before any label. Until then, the former embedder and version stay in use; embedder, version and queue
    change in one transaction, once every readable crop is embedded. A killed run continues where it was.
    The former vectors and versions are kept. The queue waits for a top-up (`refresh.top_up_stock`). Raises
    EmbedderChangedError if the embedder is changed by others meanwhile, EmbedderError if new crops keep
    coming in, and ModelError if a project with tasks has no crop to learn from or to order.
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
        prepared = prepare(workspace, project)
        with workspace.database.read() as conn:
            former_record = models.current(conn, project_id)
        if _change(workspace, former, embedder.id, prepared, report.broken):
            return EmbedderChange(
                former=former.embedder,
                embedder=embedder.id,
                record=None if prepared is None else prepared.record,
                former_record=former_record,
                embedded=embedded,
                broken=report.broken,
            )
    raise EmbedderError(
        f"new crops kept coming in, so project {project_id} stays with {former.embedder}",
        remedy="run it again once the import is over: it continues where it was",
    )


def prepare(workspace: Workspace, project: ProjectRecord) -> PreparedVersion | None:
    """The version that the project will use; None if there is neither a version nor a crop yet."""
    prepared = prepare_version(workspace, project)
    if prepared is not None:
        return prepared
    with workspace.database.read() as conn:
        if models.current(conn, project.id) is None and candidates.count(conn) == 0:
            return None
    return prepare_cold_start(workspace, project)


def _change(
    workspace: Workspace,
    former: ProjectRecord,
    embedder_id: str,
    prepared: PreparedVersion | None,
    broken: tuple[BrokenCrop, ...],
) -> bool:
    """Make the change; False, and nothing changes, if crops or a first version came in meanwhile."""
    with workspace.database.write() as conn:
        unreadable = {crop.detection_id for crop in broken}
        if not embeddings.is_complete(conn, embedder_id, unreadable=unreadable):
            return False
        if prepared is None and models.current(conn, former.id) is not None:
            return False
        projects.change_embedder(conn, former.id, former=former.embedder, new=embedder_id)
        if prepared is not None:
            models.activate(conn, prepared.record, prepared.queue)
    return True
