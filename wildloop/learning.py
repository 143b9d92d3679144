"""Learning from labels: versions, their audit, and what may be accepted.

Each function takes the project's id as `project`; without it, the only project of the workspace is meant.
"""

from __future__ import annotations

from pipeline.heads import LinearHead
from pipeline.records import ModelRecord
from pipeline.steps.labelling import frames
from pipeline.steps.labelling.frames import DrawnEmpties
from pipeline.steps.learning import accept as accept_step
from pipeline.steps.learning import activate as activate_step
from pipeline.steps.learning import audit as audit_step
from pipeline.steps.learning import predict
from pipeline.steps.learning import train as train_step
from pipeline.steps.learning.accept import AcceptReport
from pipeline.steps.learning.audit import Judgement
from pipeline.steps.learning.empties import EmptiesJudgement, judge_empties
from pipeline.store import models
from pipeline.workspace import Workspace
from wildloop._default_project import chosen

__all__ = [
    "AcceptReport",
    "DrawnEmpties",
    "EmptiesJudgement",
    "Judgement",
    "LinearHead",
    "ModelRecord",
    "accept",
    "activate",
    "audit",
    "audit_empties",
    "draw_audit",
    "draw_empties",
    "load_head",
    "train",
    "versions",
]


def train(workspace: Workspace, *, project: int | None = None) -> ModelRecord | None:
    """Train a version on all labels but those of the audit, and make it current with a new queue.

    The same labels give the same version again. None if there is no label to learn from. The queue stays
    here: `publish` asks people about it, and `refresh` does both.
    """
    return train_step.train(workspace, chosen(workspace, project))


def versions(workspace: Workspace, *, project: int | None = None) -> list[ModelRecord]:
    """The model versions of the project, oldest first."""
    project_id = chosen(workspace, project)
    with workspace.database.read() as conn:
        return models.all(conn, project_id)


def activate(workspace: Workspace, version: str) -> ModelRecord:
    """Make a version current again, with a new queue; the beginning of its name is enough.

    Raises StoreError and ModelError.
    """
    with workspace.database.read() as conn:
        record = models.find(conn, version)
    return activate_step.activate(workspace, record.project_id, record.version)


def audit(workspace: Workspace, *, project: int | None = None, target: float = 0.95) -> Judgement | None:
    """Accuracy, recall and precision of the current version, estimated from the audit labels.

    `target` is the accuracy that the forecast aims at. None before the first trained version.
    """
    return audit_step.judge(workspace, chosen(workspace, project), target=target)


def draw_audit(workspace: Workspace, count: int, *, project: int | None = None) -> int:
    """Draw more audit crops, which come first in the next queue; returns how many there were to draw."""
    return audit_step.draw(workspace, chosen(workspace, project), count)


def audit_empties(workspace: Workspace) -> EmptiesJudgement | None:
    """How many photographs that machines alone call empty show an animal, at most.

    From what people saw in a random sample of them; None before `draw_empties`.
    """
    with workspace.database.read() as conn:
        return judge_empties(conn)


def draw_empties(workspace: Workspace, count: int) -> DrawnEmpties:
    """Draw more photographs that machines alone call empty, for people to sign off.

    The next `publish` puts them on boards. Raises SourceError if none of them can be read.
    """
    return frames.draw(workspace, count)


def accept(
    workspace: Workspace, *, precision: float = 0.95, confidence: float = 0.9, project: int | None = None
) -> AcceptReport:
    """Accept predictions of the current version as labels, where the audit supports the precision.

    Exports use the thresholds from now on. The precision holds with `confidence` over audits, for the crops
    that are unlabelled now. Raises ModelError before the first trained version.
    """
    return accept_step.accept(
        workspace, chosen(workspace, project), precision=precision, confidence=confidence
    )


def load_head(workspace: Workspace, version: str) -> LinearHead:
    """The classifier of a model version; the beginning of its name is enough.

    `head.probabilities(vectors)` takes float (N, D) of the head's embedder and returns calibrated
    probabilities, float (N, C), for the category ids in `head.classes`. Raises StoreError and ModelError.
    """
    with workspace.database.read() as conn:
        record = models.find(conn, version)
    return predict.load_head(workspace, record)
