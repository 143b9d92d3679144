"""Trained embedders of the data folder, with who uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.embedders import load, trained
from pipeline.errors import EmbedderError
from pipeline.records import ProjectRecord
from pipeline.store import embeddings, projects
from pipeline.workspace import Workspace

TOLD = {"data", "start", "metrics", "licence", "created"}  # what a manifest says of a training


@dataclass(frozen=True, kw_only=True)
class TrainedEmbedder:
    """One that can be loaded."""

    name: str
    id: str
    manifest: Mapping[str, Any]
    crops: int  # that have its vector
    projects: tuple[ProjectRecord, ...]  # that work with it


@dataclass(frozen=True, kw_only=True)
class DamagedEmbedder:
    """One that cannot, or says too little of itself."""

    name: str
    problem: str


def trained_embedders(workspace: Workspace) -> list[TrainedEmbedder | DamagedEmbedder]:
    """Each by its name. They are loaded: an id follows from the weights that lie there now."""
    with workspace.database.read() as conn:
        known = projects.all(conn)
    found: list[TrainedEmbedder | DamagedEmbedder] = []
    for name in trained.names(workspace.data_dir):
        try:
            embedder = load(name, data_dir=workspace.data_dir)
        except EmbedderError as exc:
            found.append(DamagedEmbedder(name=name, problem=str(exc)))
            continue
        untold = TOLD - embedder.manifest.get("training", {}).keys()
        if untold:
            problem = f"its manifest does not say of its training: {', '.join(sorted(untold))}"
            found.append(DamagedEmbedder(name=name, problem=problem))
            continue
        with workspace.database.read() as conn:
            crops = embeddings.count(conn, embedder.id)
        found.append(
            TrainedEmbedder(
                name=name,
                id=embedder.id,
                manifest=embedder.manifest,
                crops=crops,
                projects=tuple(one for one in known if one.embedder == embedder.id),
            )
        )
    return found
