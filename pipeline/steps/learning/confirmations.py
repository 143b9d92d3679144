"""How often people confirm errors on sequences and boards, and which crops are to tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from pipeline.records import Way
from pipeline.stopping.confirmed import WrongShare, wrong_share
from pipeline.store import confirmations

# Of the labels made together, the share asked about again. With a board after nine sequences a check is added
# for each such round of ten tasks and 50 labels: a seventh more key presses. After 5,000 labels 100 checks
# bound the wrong ones below 4% if none is wrong (95%).
SHARE = 0.02


@dataclass(frozen=True, kw_only=True)
class ConfirmationReport:
    """How often labels that were made together are wrong."""

    ways: Mapping[Way, WrongShare]  # those in which labels were made
    waiting: int  # crops that are to be asked about again, and are not answered yet


def confirmation_report(conn: sa.Connection, project_id: int) -> ConfirmationReport:
    """What confirmations tell of a project so far."""
    every = confirmations.group_labels(conn, project_id)
    ways = {}
    for way in Way:
        labels = [each for each in every if each.way is way]
        checked = [each for each in labels if each.answer is not None]
        if labels:
            wrong = np.array([each.answer != each.label for each in checked], np.bool_)
            ways[way] = wrong_share(len(labels), wrong, [str(each.task_id) for each in checked])
    waiting = sum(each.answer is None for each in _drawn(every, project_id))
    return ConfirmationReport(ways=ways, waiting=waiting)


def to_confirm(conn: sa.Connection, project_id: int) -> list[str]:
    """The crops that are to be asked about again and that no confirmation asks about yet, by id."""
    asked = confirmations.asked_ids(conn, project_id)
    drawn = _drawn(confirmations.group_labels(conn, project_id), project_id)
    return [each.detection_id for each in drawn if each.detection_id not in asked]


def _drawn(labels: list[confirmations.GroupLabel], project_id: int) -> list[confirmations.GroupLabel]:
    return [each for each in labels if confirmations.is_drawn(project_id, each.detection_id, SHARE)]
