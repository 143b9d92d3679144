"""What is to be asked, and which tasks are to leave the label stream: rules over records alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from pipeline.records import PredictionRecord, Purpose, TaskKind, TaskRecord
from pipeline.steps.labelling.ask import PlannedTask
from pipeline.steps.labelling.suggestions import asks_about_labels

FIRST_STRUCK = -4.0  # crops that were struck out come before all else: -4 to -3
FIRST_REQUESTED = -1.0  # audit crops that `wildloop audit` drew come before the queue: -1 to 0
EXTERNAL = "external"  # key in the details of a task that somebody created in Label Studio


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What is known of the crops of a queue, a stock, or both."""

    unlabelled: Set[str]  # those that wait for a label, without accepted predictions
    audited: Set[str] = frozenset()  # those of the audit
    requested: Sequence[str] = ()  # of these, those drawn by `wildloop audit`, in their order
    queued: Set[str] = frozenset()  # those with a place in the queue of the current version
    struck: Set[str] = frozenset()  # struck out of a group, so asked about alone
    disputed: Set[str] = frozenset()  # annotators disagree: more of the same would not help


@dataclass(frozen=True, kw_only=True)
class Stock:
    """The open tasks of a project, oldest first."""

    tasks: Sequence[TaskRecord]
    version: str | None  # the current version
    _newest: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        newest = {crop: task.task_id for task in self.tasks if asks_first(task) for crop in task.detections}
        object.__setattr__(self, "_newest", newest)

    @property
    def placed(self) -> list[TaskRecord]:
        """The tasks with a place in the queue of the current version."""
        return [task for task in self.tasks if asks_first(task) and self.has_place(task)]

    @property
    def outdated(self) -> list[TaskRecord]:
        """Tasks that somebody asked for on purpose, and that lack a place in this version's queue."""
        return [
            task
            for task in self.tasks
            if task.score is not None
            and not asks_first(task)
            and not is_passing(task)
            and task.model_version != self.version
        ]

    @property
    def external(self) -> dict[str, TaskRecord]:
        """The tasks that somebody created in Label Studio, by crop."""
        return {crop: task for task in self.tasks if is_external(task) for crop in task.detections}

    def has_place(self, task: TaskRecord) -> bool:
        return task.score is not None and task.model_version == self.version

    def to_park(self, waiting: Waiting, keep: int) -> list[int]:
        """The tasks whose question is settled or asked anew, then the oldest beyond `keep` tasks."""
        settled = [task.task_id for task in self.tasks if self._is_over(task, waiting)]
        gone = set(settled)
        spare = [
            task.task_id
            for task in self.tasks
            if asks_first(task)
            and task.task_id not in gone
            and not self.has_place(task)
            and not is_external(task)
        ]
        too_many = max(0, len(self.tasks) - len(settled) - keep)
        return settled + spare[:too_many]

    def _is_newest(self, task: TaskRecord) -> bool:
        """Whether no later task asks for the first label of one of its crops."""
        return all(self._newest.get(crop, task.task_id) <= task.task_id for crop in task.detections)

    def _is_over(self, task: TaskRecord, waiting: Waiting) -> bool:
        """Whether nobody needs to answer this task any more."""
        if task.purpose is Purpose.SUGGESTION:
            if is_passing(task) and not (self.has_place(task) and self._is_newest(task)):
                return True
            if is_passing(task) and not waiting.audited.isdisjoint(task.detections):
                return True
            return not asks_about_labels(task) and waiting.unlabelled.isdisjoint(task.detections)
        if not asks_first(task):
            return False
        still = [crop for crop in task.detections if crop in waiting.unlabelled]
        if not still:
            return True
        if is_external(task):
            return False
        if any(self._newest[crop] != task.task_id for crop in still):
            return True
        if task.purpose is not Purpose.AUDIT and not waiting.audited.isdisjoint(still):
            return True  # crops of the audit are asked about alone and without a suggestion
        if task.kind is not TaskKind.SINGLE and waiting.struck >= set(still):
            return True
        if task.kind is TaskKind.BOARD:
            return False  # its crops have no place of their own in the queue
        # A version that is current again has another queue than before.
        return self.has_place(task) and waiting.queued.isdisjoint(still) and waiting.struck.isdisjoint(still)


def asks_first(task: TaskRecord) -> bool:
    """Whether the task asks for the first label of its crops, in the order of a queue."""
    return task.purpose in (Purpose.QUEUE, Purpose.AUDIT)


def is_passing(task: TaskRecord) -> bool:
    """Whether a version suggested it by itself: the next version has suggestions of its own."""
    return task.purpose is Purpose.SUGGESTION and (task.score or 0.0) >= 0


def is_external(task: TaskRecord) -> bool:
    """Whether somebody created the task in Label Studio."""
    return bool((task.details or {}).get(EXTERNAL))


def struck_tasks(stock: Stock, waiting: Waiting) -> list[PlannedTask]:
    """The crops that were struck out and that this version does not ask about alone yet."""
    asked = {
        crop
        for task in stock.placed
        if task.kind is TaskKind.SINGLE and (task.score or 0.0) < FIRST_STRUCK + 1
        for crop in task.detections
    }
    crops = sorted((waiting.struck & waiting.unlabelled) - asked)
    return [
        PlannedTask(
            kind=TaskKind.SINGLE,
            purpose=Purpose.AUDIT if crop in waiting.audited else Purpose.QUEUE,
            detections=(crop,),
            score=FIRST_STRUCK + place / len(crops),
            reason="It was struck out of a group",
        )
        for place, crop in enumerate(crops)
    ]


def queue_tasks(queue: Sequence[PredictionRecord], waiting: Waiting, stock: Stock) -> list[PlannedTask]:
    """A task for each crop of a queue that waits, in its order, one crop each."""
    ranks = {crop: place / len(waiting.requested) for place, crop in enumerate(waiting.requested)}
    external = stock.external
    return [
        PlannedTask(
            kind=TaskKind.SINGLE,
            purpose=Purpose.AUDIT if place.detection_id in waiting.audited else Purpose.QUEUE,
            detections=(place.detection_id,),
            score=FIRST_REQUESTED + ranks[place.detection_id] if place.detection_id in ranks else place.score,
            suggested=place.category_id,
            probability=place.probability,
        )
        for place in queue
        if place.detection_id in waiting.unlabelled
        and place.detection_id not in waiting.struck
        and place.detection_id not in waiting.disputed
        and place.detection_id not in external
    ]


def reserve_tasks(crops: Sequence[str], waiting: Waiting) -> list[PlannedTask]:
    """Tasks without a place in the queue, for crops that nothing asks about."""
    return [
        PlannedTask(
            kind=TaskKind.SINGLE,
            purpose=Purpose.AUDIT if crop in waiting.audited else Purpose.QUEUE,
            detections=(crop,),
            score=1.0,
        )
        for crop in crops
        if crop not in waiting.disputed
    ]
