"""Which of some crops have a prediction that `wildloop accept` lets stand as their label."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pipeline.records import ModelRecord
from pipeline.steps.learning.pool_state import rows_of
from pipeline.steps.learning.predict import load_version
from pipeline.store import acceptances, audits
from pipeline.workspace import Workspace


def accepted_among(workspace: Workspace, current: ModelRecord, detection_ids: Iterable[str]) -> set[str]:
    """Those of these crops whose prediction by the version `current` is accepted, without the audit's.

    Raises ModelError if the version's files are damaged.
    """
    asked = set(detection_ids)
    with workspace.database.read() as conn:
        accepted = acceptances.for_version(conn, current.version)
        audited = audits.drawn_among(conn, current.project_id, sorted(asked))
    if accepted is None or current.path is None:
        return set()
    version = load_version(workspace, current)
    rows = rows_of(version.pool, asked - audited)
    rows = rows[rows < accepted.pool_size]
    found = version.predict(rows)
    least = np.array([accepted.thresholds.get(int(category), np.inf) for category in found.category])
    stands = (found.probability >= least) & found.offered & ~found.novel
    return {version.pool.ids[row] for row in rows[stands]}
