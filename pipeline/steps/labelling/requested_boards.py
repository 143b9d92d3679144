"""Boards that a manager asks for: crops like an example, crops predicted as a species, suggestions."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.arrays import Floats, Ints
from pipeline.errors import ModelError, StoreError
from pipeline.grouping.likeness import alike_order
from pipeline.grouping.neighbours import nearest
from pipeline.label_studio.roles import AskClient
from pipeline.records import ProjectRecord, Purpose, TaskKind
from pipeline.steps.labelling.ask import PlannedTask, ask
from pipeline.steps.labelling.boards import waiting_rows
from pipeline.steps.labelling.choices import see_choices
from pipeline.steps.labelling.groups import kept_apart
from pipeline.steps.labelling.suggestions import SUGGESTS, suggest
from pipeline.steps.learning.crop_predictions import crop_predictions
from pipeline.steps.learning.predict import LoadedVersion, load_version
from pipeline.store import categories, choices, detections, models
from pipeline.store.pool import Pool
from pipeline.vocabulary import category_of
from pipeline.workspace import Workspace

EXAMPLE, PREDICTED = "example", "predicted"  # what a board is made from, as `suggestions.SUGGESTS`
SCORE = -0.5  # before the queue, after reviews
MOST_SUGGESTED = 5  # boards at one go


@dataclass(frozen=True, kw_only=True)
class BoardCrop:
    """A crop on a board."""

    detection_id: str
    file_name: str  # of its photograph
    similarity: float | None  # cosine to the example, -1 to 1; None without an example
    predicted: str | None  # what the current version says, if it has a head
    probability: float | None


@dataclass(frozen=True, kw_only=True)
class RequestedBoard:
    """A board that was made."""

    task_id: int
    reason: str
    version: str | None  # whose queue it leads; None: it comes after all tasks that have a place
    crops: tuple[BoardCrop, ...]  # in the order of the screen


def board_like(
    workspace: Workspace,
    client: AskClient,
    project: ProjectRecord,
    vector: Floats,
    *,
    name: str,
    species: str | None = None,
    size: int,
) -> RequestedBoard:
    """A board of the `size` waiting crops nearest to the example `vector` (D,), by the project's embedder.

    Nearest first; the example itself is among them if it waits. `name` says to people what they resemble.
    `species` is suggested; without, nothing is, as most neighbours of a rare species are of another one.
    Works before the first version. Raises StoreError if the project does not offer the species, or if no
    crop is left for a board; LabelStudioError.
    """
    category = None if species is None else _category(workspace, client, project, species)
    pool = workspace.pool(project.embedder)
    rows = _free_rows(workspace, project, pool)
    found = nearest(pool.vectors, rows, vector, size)
    planned = PlannedTask(
        kind=TaskKind.BOARD,
        purpose=Purpose.SUGGESTION,
        detections=tuple(pool.ids[row] for row in found.rows),
        score=SCORE,
        suggested=category,
        reason=f"They resemble {name}",
        details={SUGGESTS: EXAMPLE, "category": category},
    )
    likeness = dict(zip(planned.detections, found.similarity.tolist(), strict=True))
    return _made(workspace, client, project, [planned], likeness)[0]


def board_of(
    workspace: Workspace, client: AskClient, project: ProjectRecord, species: str, *, size: int
) -> RequestedBoard:
    """A board of the `size` waiting crops that the current version most probably names as the species.

    Raises StoreError if the project does not offer the species or no free crop is named so, ModelError if no
    version has a head yet, LabelStudioError.
    """
    category = _category(workspace, client, project, species)
    version = _version(workspace, project)
    rows = _free_rows(workspace, project, version.pool)
    named, probability = version.likeliest(rows)
    mine = np.flatnonzero(named == category)
    if not len(mine):
        raise StoreError(
            f"{version.record.version} names no free crop {species}",
            remedy="look for it with --like, and the id of a detection or a picture of it",
        )
    mine = mine[np.argsort(-probability[mine], kind="stable")[:size]]
    mine = mine[alike_order(version.pool.vectors[rows[mine]])]
    planned = PlannedTask(
        kind=TaskKind.BOARD,
        purpose=Purpose.SUGGESTION,
        detections=tuple(version.pool.ids[row] for row in rows[mine]),
        score=SCORE,
        suggested=category,
        probability=float(probability[mine].mean()),
        reason="Strike out what is something else",
        details={SUGGESTS: PREDICTED, "category": category},
    )
    return _made(workspace, client, project, [planned], {})[0]


def boards_suggested(
    workspace: Workspace, client: AskClient, project: ProjectRecord, *, size: int
) -> list[RequestedBoard]:
    """Up to five boards as `suggestions.suggest` makes them; none if nothing stands out.

    Raises ModelError if no version has a head yet, LabelStudioError.
    """
    version = _version(workspace, project)
    with workspace.database.read() as conn:
        apart = kept_apart(conn, project.id)
    planned = suggest(workspace, version, apart, size=size)[:MOST_SUGGESTED]
    return _made(workspace, client, project, [replace(task, score=SCORE) for task in planned], {})


def _free_rows(workspace: Workspace, project: ProjectRecord, pool: Pool) -> Ints:
    """The pool's rows that can come on a board. Raises StoreError if there are none."""
    with workspace.database.read() as conn:
        apart = kept_apart(conn, project.id)
    rows = waiting_rows(workspace, pool, apart)
    if not len(rows):
        raise StoreError(
            "no crop is left for a board: each has a label, comes alone, or is in another open group",
            remedy="answer the open boards first, or import more photographs and embed them",
        )
    return rows


def _category(workspace: Workspace, client: AskClient, project: ProjectRecord, species: str) -> int:
    """The category that the project offers under this name. Raises StoreError, with names that are alike."""
    see_choices(workspace, project.id, str(client.project(project.id)["label_config"]))
    with workspace.database.read() as conn:
        offered = choices.offered(conn, project.id)
        number = categories.numbers(conn).get(category_of(species) or "")
    if number in offered:
        return number
    near = difflib.get_close_matches(species.lower(), offered.values(), n=3)
    raise StoreError(
        f"project {project.id} does not offer {species}" + (f"; it has {', '.join(near)}" if near else ""),
        remedy="add it with `wildloop project species add`, or choose another",
    )


def _version(workspace: Workspace, project: ProjectRecord) -> LoadedVersion:
    with workspace.database.read() as conn:
        current = models.current(conn, project.id)
    if current is None or current.path is None:
        raise ModelError(
            f"project {project.id} has no version that predicts yet",
            remedy="label some crops and run `wildloop train`, or give an example with --like",
        )
    return load_version(workspace, current)


def _made(
    workspace: Workspace,
    client: AskClient,
    project: ProjectRecord,
    planned: Sequence[PlannedTask],
    likeness: Mapping[str, float],
) -> list[RequestedBoard]:
    """Create the boards; `likeness` is that of each crop to an example, by detection id."""
    records = ask(workspace, client, project.id, planned, version=project.current_model)
    if len(records) < len(planned):
        raise StoreError("the crops' pictures are gone", remedy="import their photographs again")
    shown = [crop for record in records for crop in record.detections]
    with workspace.database.read() as conn:
        current = models.current(conn, project.id)
        file_names, names = detections.file_names(conn, shown), categories.names(conn)
    said = crop_predictions(workspace, current, shown)

    def crop(detection_id: str) -> BoardCrop:
        category, probability = said.of(detection_id) or (None, None)
        return BoardCrop(
            detection_id=detection_id,
            file_name=file_names[detection_id],
            similarity=likeness.get(detection_id),
            predicted=None if category is None else names[category],
            probability=probability,
        )

    return [
        RequestedBoard(
            task_id=record.task_id,
            reason=task.reason,
            version=project.current_model,
            crops=tuple(crop(detection_id) for detection_id in record.detections),
        )
        for task, record in zip(planned, records, strict=True)
    ]
