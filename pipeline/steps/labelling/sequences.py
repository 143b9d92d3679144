"""Queued crops -> tasks about the crops of their sequences."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
import sqlalchemy as sa

from pipeline.arrays import Ints, numbered
from pipeline.grouping.sequences import Crops, grouped
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import ProjectRecord, Purpose, TaskKind
from pipeline.steps.labelling.ask import PlannedTask
from pipeline.steps.learning.crop_predictions import CropPredictions, crop_predictions
from pipeline.store import candidates, models, sequence_crops
from pipeline.workspace import Workspace

NOTHING_SAID = (-1, 0.0)  # in place of a category and its probability


def with_sequences(
    workspace: Workspace, project: ProjectRecord, planned: Sequence[PlannedTask], apart: Set[str]
) -> list[PlannedTask]:
    """Let each crop of `planned`, tasks about one crop each, bring along those of its sequence.

    The rule is `grouping.sequences.grouped`; crops in `apart` are not brought along. A crop that another one
    brings along has no task of its own any more. Raises ModelError if the files of the project's version are
    damaged.
    """
    of_crop = {task.detections[0]: task for task in planned}
    if not of_crop:
        return []
    with workspace.database.read() as conn:
        current = models.current(conn, project.id)
        members = _read_members(conn, of_crop, apart)
    said = crop_predictions(workspace, current, members.ids)
    named, probability = zip(*(said.of(crop) or NOTHING_SAID for crop in members.ids), strict=True)
    alone = {crop for crop, task in of_crop.items() if task.purpose is not Purpose.QUEUE}
    crops = Crops(
        sequences=members.sequences,
        frames=members.frames,
        named=np.array(named, np.intp),
        probability=np.array(probability),
        alone=np.array([crop in alone for crop in members.ids], np.bool_),
    )
    row_of = {crop: row for row, crop in enumerate(members.ids)}
    groups = grouped(np.array([row_of[crop] for crop in of_crop], np.intp), crops)
    place = {crop: number for number, crop in enumerate(of_crop)}
    least = ScreenOptions.from_json(project.options).suggest_from
    tasks = []
    for group in groups:
        ids = [members.ids[row] for row in group]
        first = min((crop for crop in ids if crop in place), key=place.__getitem__)
        tasks.append(of_crop[first] if len(ids) == 1 else _together(of_crop[first], ids, said, least))
    return tasks


@dataclass(frozen=True, kw_only=True, eq=False)
class _Members:
    """The queued crops and those of their sequences, M in all."""

    ids: Sequence[str]
    sequences: Ints  # (M,) numbers
    frames: Ints  # (M,) numbers of their photographs, ascending in time


def _read_members(conn: sa.Connection, queued: Collection[str], apart: Set[str]) -> _Members:
    sequences = {place.sequence for place in candidates.places(conn, queued).values()}
    crops = [
        crop
        for crop in sequence_crops.waiting(conn, sequences)
        if crop.detection_id in queued or crop.detection_id not in apart
    ]
    found = {crop.detection_id for crop in crops}
    missing = [crop for crop in queued if crop not in found]  # labelled a moment ago
    return _Members(
        ids=[*(crop.detection_id for crop in crops), *missing],
        sequences=numbered([*(crop.sequence for crop in crops), *missing], sort=False)[1],
        frames=numbered([*(crop.image_id for crop in crops), *missing], sort=False)[1],
    )


def _together(first: PlannedTask, ids: Sequence[str], said: CropPredictions, least: float) -> PlannedTask:
    """The task about crops of one sequence in the place of `first`.

    It suggests something if that does, and if the probability is at least `least`.
    """
    pooled_prediction = said.together(ids) if first.suggested is not None else None
    category, probability = pooled_prediction or (None, None)
    if probability is None or probability < least:
        category, probability = None, None
    return replace(
        first,
        kind=TaskKind.SEQUENCE,
        detections=tuple(ids),
        suggested=category,
        probability=probability,
    )
