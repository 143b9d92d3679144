"""A crop or a picture file -> its vector, for a search by example."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.embedders import reload
from pipeline.errors import PhotoError, SourceError, StoreError
from pipeline.records import ProjectRecord
from pipeline.steps.embedding.crop_vectors import prepared_crop
from pipeline.store import categories, detections, embeddings
from pipeline.workspace import Workspace

NEAR = 3  # ids that an error names


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """What crops are to resemble."""

    name: str  # for people: of the file or photograph, with the detection's label if it has one
    vector: NDArray[np.float32]  # (D,) by the project's embedder


def read_example(workspace: Workspace, project: ProjectRecord, like: str) -> Example:
    """The example that `like` names: the id of a detection, or the path of a picture.

    A detection that is not embedded yet is embedded now. Raises StoreError, with ids that begin alike, if
    there is neither; SourceError if the picture cannot be used; EmbedderError if the project's embedder
    cannot be loaded.
    """
    with workspace.database.read() as conn:
        found = detections.get(conn, [like]).get(like)
        vector = embeddings.vectors(conn, project.embedder, [like]).get(like)
    if found is None:
        if not Path(like).exists():
            raise _unknown(workspace, like)
        return Example(name=Path(like).name, vector=_embedded(workspace, project, Path(like)))
    if vector is None and found.crop_path is None:
        raise StoreError(f"detection {like} has no crop", remedy="import its photograph again")
    if vector is None:
        vector = _embedded(workspace, project, workspace.data_dir / str(found.crop_path))
    with workspace.database.read() as conn:
        name = detections.file_names(conn, [like])[like]
        label = None if found.category_id is None else categories.names(conn)[found.category_id]
    return Example(name=name if label is None else f"{name}, labelled {label}", vector=vector)


def _embedded(workspace: Workspace, project: ProjectRecord, path: Path) -> NDArray[np.float32]:
    with workspace.database.read() as conn:
        manifest = embeddings.get_embedder(conn, project.embedder).manifest
    embedder = reload(project.embedder, manifest, data_dir=workspace.data_dir)
    try:
        pixels = prepared_crop(embedder, path)
    except PhotoError as exc:
        raise SourceError(f"{path} cannot be an example: {exc}", remedy="choose another picture") from exc
    vector: NDArray[np.float32] = embedder.embed_prepared([pixels])[0]
    return vector


def _unknown(workspace: Workspace, like: str) -> StoreError:
    with workspace.database.read() as conn:
        near = detections.beginning_like(conn, like, NEAR)
    known = f"; ids that begin like it: {', '.join(near)}" if near else ""
    return StoreError(
        f"there is neither a detection nor a file {like}{known}",
        remedy="give the id of a detection, or the path of a picture",
    )
