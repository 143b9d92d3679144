"""The trained embedders of the data folder, and which projects use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.embedders import load, trained
from pipeline.errors import EmbedderError
from pipeline.records import ProjectRecord
from pipeline.store import embeddings, projects
from pipeline.workspace import Workspace

REQUIRED = {"data", "start", "metrics", "licence", "created"}  # keys of a manifest's `training`


@dataclass(frozen=True, kw_only=True)
class TrainedEmbedder:
    """An embedder that can be loaded."""

    name: str
    id: str
    manifest: Mapping[str, Any]
    crops: int  # that have its vector
    projects: tuple[ProjectRecord, ...]  # that use it


@dataclass(frozen=True, kw_only=True)
class DamagedEmbedder:
    """An embedder that cannot be loaded, or whose manifest is incomplete."""

    name: str
    problem: str


def trained_embedders(workspace: Workspace) -> list[TrainedEmbedder | DamagedEmbedder]:
    """All trained embedders, by name. They are loaded, since an id depends on the current weights."""
    with workspace.database.read() as conn:
        every_project = projects.all(conn)
    embedders: list[TrainedEmbedder | DamagedEmbedder] = []
    for name in trained.names(workspace.data_dir):
        try:
            embedder = load(name, data_dir=workspace.data_dir)
        except EmbedderError as exc:
            embedders.append(DamagedEmbedder(name=name, problem=str(exc)))
            continue
        missing = REQUIRED - embedder.manifest.get("training", {}).keys()
        if missing:
            problem = f"its manifest lacks, of its training: {', '.join(sorted(missing))}"
            embedders.append(DamagedEmbedder(name=name, problem=problem))
            continue
        with workspace.database.read() as conn:
            crops = embeddings.count(conn, embedder.id)
        embedders.append(
            TrainedEmbedder(
                name=name,
                id=embedder.id,
                manifest=embedder.manifest,
                crops=crops,
                projects=tuple(project for project in every_project if project.embedder == embedder.id),
            )
        )
    return embedders
