"""Crops and labels that are worth a look together although no version names them alike."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np

from pipeline.arrays import Ints
from pipeline.grouping import boards as grouping
from pipeline.grouping import suggestions
from pipeline.grouping.suggestions import Group
from pipeline.records import Purpose, TaskKind, TaskRecord
from pipeline.steps.labelling.ask import PlannedTask
from pipeline.steps.labelling.boards import waiting_rows
from pipeline.steps.learning.pool_state import sequences_of
from pipeline.steps.learning.predict import LoadedVersion
from pipeline.steps.learning.training_set import training_labels
from pipeline.store import categories, reviews, tasks
from pipeline.workspace import Workspace

DRAWN = 16_384  # waiting crops that are compared with the labels; of more, some are drawn at random
LABELS = 4_096  # that they are compared with; of more, some are drawn at random
SUGGESTS = "suggests"  # key in the details of a task
RESEMBLING, NEW, DISAGREEING = "resembling", "new", "disagreeing"  # what it suggests


def suggest(
    workspace: Workspace, version: LoadedVersion, apart: Set[str], *, size: int = grouping.SIZES[0]
) -> list[PlannedTask]:
    """Boards that no version names alike, each with its reason; those of different kinds take turns.

    Crops that resemble the labels of a rare species although the version names them otherwise; crops that
    resemble each other and nothing labelled; labels whose nearest labels are of another species, unless that
    was answered before. What is struck out of the last, or named otherwise on it, comes back as a review
    (`store.reviews.objections`). No crop is on two of them, and none of `apart` on any. The scores are 0: the
    caller gives each its place in the queue. The same version and crops give the same boards.
    """
    rng = np.random.default_rng(zlib.crc32(version.record.version.encode()))
    rows = np.sort(rng.permutation(waiting_rows(workspace, version.pool, apart))[:DRAWN])
    labels = _read_labels(workspace, version, set(apart), rng)
    if not len(labels.rows):
        return []
    vectors = version.pool.vectors
    named, _ = version.likeliest(rows)
    resembling = suggestions.resembling(vectors, rows, named, labels.rows, labels.categories)
    resembling = [group for group in resembling if group.category in version.offered]
    free = np.setdiff1d(rows, [row for group in resembling for row in group.rows])
    novel = free[version.novelty.is_novel(vectors[free])]
    new = suggestions.clusters(vectors, novel, labels.rows, size=size)
    doubted = suggestions.disagreeing(
        vectors, labels.rows, labels.categories, sequences_of(workspace, version.pool, labels.rows), size=size
    )
    doubted = [group for each in doubted if len((group := labels.unasked(each)).rows) > 1]

    def planned(kind: str, reason: Callable[[str], str], groups: Sequence[Group]) -> list[PlannedTask]:
        return [
            PlannedTask(
                kind=TaskKind.BOARD,
                purpose=Purpose.SUGGESTION,
                detections=tuple(version.pool.ids[row] for row in group.rows),
                score=0.0,
                reason=reason(labels.names.get(-1 if group.category is None else group.category, "")),
                details={SUGGESTS: kind, "category": group.category}
                | ({reviews.LABEL: group.category} if kind == DISAGREEING else {}),
            )
            for group in groups
        ]

    kinds = (
        planned(
            RESEMBLING, "They resemble labels of {}, but are predicted as something else".format, resembling
        ),
        planned(NEW, "They resemble each other, and nothing that is labelled".format, new),
        planned(DISAGREEING, "Labelled {}, but they resemble labels of another species".format, doubted),
    )
    return [task for task in chain(*zip_longest(*kinds)) if task is not None]


def asks_about_labels(task: TaskRecord) -> bool:
    """Whether a suggestion is about crops that have a label."""
    return (task.details or {}).get(SUGGESTS) == DISAGREEING


@dataclass(frozen=True, kw_only=True, eq=False)
class _Labels:
    """Labels that versions learn from."""

    rows: Ints  # (L,) of the pool
    categories: Ints  # (L,)
    names: Mapping[int, str]  # of every category
    asked: Ints  # rows in an open group, or that were asked about before because of their neighbours

    def unasked(self, group: Group) -> Group:
        """The group without these."""
        return Group(rows=group.rows[~np.isin(group.rows, self.asked)], category=group.category)


def _read_labels(
    workspace: Workspace, version: LoadedVersion, apart: set[str], rng: np.random.Generator
) -> _Labels:
    index = version.pool.index
    with workspace.database.read() as conn:
        every = training_labels(conn, version.record.project_id)
        names = categories.names(conn)
        boards = tasks.of_purpose(conn, version.record.project_id, Purpose.SUGGESTION)
    crops = sorted(crop for crop in every if crop in index)
    crops = [crops[place] for place in np.sort(rng.permutation(len(crops))[:LABELS])]
    answered = [task for task in boards if task.answered_at is not None and asks_about_labels(task)]
    asked = apart.union(*(task.detections for task in answered))
    return _Labels(
        rows=np.array([index[crop] for crop in crops], np.intp),
        categories=np.array([every[crop] for crop in crops], np.intp),
        names=names,
        asked=np.array([index[crop] for crop in asked if crop in index], np.intp),
    )
