"""A version's predictions -> boards of crops that it names alike."""

from __future__ import annotations

import zlib
from collections.abc import Set

import numpy as np

from pipeline.arrays import Ints
from pipeline.grouping import boards as grouping
from pipeline.records import Purpose, TaskKind
from pipeline.steps.labelling.ask import PlannedTask
from pipeline.steps.learning.pool_state import rows_of
from pipeline.steps.learning.predict import LoadedVersion
from pipeline.store import candidates, oracle
from pipeline.store.pool import Pool
from pipeline.workspace import Workspace

# Waiting crops among which boards for a queue are looked for; of more, some are drawn at random. A minute of
# a million crops becomes seconds, and there are far more boards among them than come in one queue.
DRAWN = 65_536
LEAST_LABELS = 5  # of a species on a board


def boards(
    workspace: Workspace,
    version: LoadedVersion,
    apart: Set[str],
    *,
    count: int,
    size: int = grouping.SIZES[0],
) -> list[PlannedTask]:
    """Up to `count` boards of waiting crops that the version names alike with high probability.

    Crops in `apart`, novel crops and those named as a category that has few labels, or that the project does
    not offer, are on none. No crop is on two of them. The scores are 0: the caller gives each its place in
    the queue. The same version and crops give the same boards.
    """
    seed = zlib.crc32(version.record.version.encode())
    rows = waiting_rows(workspace, version.pool, apart)
    rows = np.sort(np.random.default_rng(seed).permutation(rows)[:DRAWN])
    named, probability = version.likeliest(rows)
    with workspace.database.read() as conn:
        labels = oracle.label_counts(conn)
    can_be_named = [number for number in version.offered if labels.get(number, 0) >= LEAST_LABELS]
    chosen = np.isin(named, can_be_named)
    rows, named, probability = rows[chosen], named[chosen], probability[chosen]
    vectors = version.pool.vectors
    made = grouping.boards(vectors, rows, named, probability, count=count, size=size, seed=seed)
    tasks = []
    for board in made:
        known = board.rows[~version.novelty.is_novel(vectors[board.rows])]
        if len(known) >= grouping.FEWEST:
            tasks.append(
                PlannedTask(
                    kind=TaskKind.BOARD,
                    purpose=Purpose.QUEUE,
                    detections=tuple(version.pool.ids[row] for row in known),
                    score=0.0,
                    suggested=board.category,
                    probability=board.probability,
                    reason="Strike out what is something else",
                )
            )
    return tasks


def waiting_rows(workspace: Workspace, pool: Pool, apart: Set[str]) -> Ints:
    """The pool's rows that wait for a label, without the crops in `apart`, ascending."""
    with workspace.database.read() as conn:
        waiting = candidates.waiting_ids(conn)
    return rows_of(pool, (crop for crop in waiting if crop not in apart))
