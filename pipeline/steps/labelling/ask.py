"""Planned tasks -> tasks in Label Studio, with their predictions, and their records in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.label_studio import config
from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.roles import AskClient, StockClient
from pipeline.label_studio.screen.content import Asked
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.screen.task import prediction_result, task_data
from pipeline.records import EMPTY, NOT_BY, PERSON, VEHICLE, Purpose, TaskKind, TaskRecord
from pipeline.steps.labelling.likeliest import LikeliestSpecies, read_likeliest
from pipeline.steps.labelling.record import forget_tasks
from pipeline.steps.labelling.shown import ShownCrops, read_shown
from pipeline.store import categories, choices, projects, tasks
from pipeline.store.database import chunks
from pipeline.workspace import Workspace

CALL_TASKS = 1_000  # tasks in one call, which takes Label Studio about a second
ALONE = (TaskKind.SINGLE, TaskKind.FRAME)
# What is asked for these purposes judges somebody: it comes without a suggestion.
UNBIASED = (Purpose.AUDIT, Purpose.OPINION, Purpose.CONFIRMATION, Purpose.DISPUTED)


@dataclass(frozen=True, kw_only=True)
class PlannedTask:
    """A task that is to be created."""

    kind: TaskKind
    purpose: Purpose
    detections: tuple[str, ...]  # in the order of the screen
    score: float  # its place in Label Studio's queue, lowest first
    suggested: int | None = None  # a category id
    probability: float | None = None  # of `suggested`, 0 to 1
    reason: str = ""  # why it is asked, for people
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)


def ask(
    workspace: Workspace,
    client: AskClient,
    project_id: int,
    planned: Sequence[PlannedTask],
    *,
    version: str | None = None,
) -> list[TaskRecord]:
    """Create the tasks in Label Studio and store them; returns their records in the same order.

    With `version`, the one that Label Studio's queue follows, each has a prediction of it with the score and
    the suggestion; without, the tasks come after all that have one. A suggestion below the project's
    `suggest_from`, of a category that it does not offer, or for a purpose that judges somebody is left out.
    Crops whose picture is gone are left out, and a task without any with them. Raises LabelStudioError; what
    was created until then is stored.
    """
    served = ServedFiles.of(workspace.settings, client.browser_path())
    label_config = str(client.project(project_id)["label_config"])
    config.refuse_earlier(project_id, label_config)
    records: list[TaskRecord] = []
    for batch in chunks(planned, CALL_TASKS):
        screens = _Screens.read(workspace, served, project_id, label_config, batch)
        shown = [(each, asked) for each in batch if (asked := screens.asked(each)) is not None]
        created = client.import_tasks(
            project_id,
            [task_data(asked, screens.options) for _, asked in shown],
            None if version is None else [screens.prediction(each, asked, version) for each, asked in shown],
            [_not_served_to(each) for each, _ in shown],
        )
        for task_id, (each, _) in zip(created, shown, strict=True):
            if _not_served_to(each) is not None:
                client.unpark_task(task_id)
        made = [
            TaskRecord(
                project_id=project_id,
                task_id=task_id,
                kind=each.kind,
                purpose=each.purpose,
                detections=tuple(crop.detection_id for crop in asked.crops),
                model_version=asked.version,
                score=None if version is None else each.score,
                details=_stored_details(each),
            )
            for task_id, (each, asked) in zip(created, shown, strict=True)
        ]
        _forget_former(workspace, project_id, created)
        with workspace.database.write() as conn:
            tasks.add(conn, made)
        records += made
    return records


def _forget_former(workspace: Workspace, project_id: int, created: Sequence[int]) -> None:
    """Forget tasks that had these ids before: on SQLite, Label Studio gives those of deleted tasks again."""
    with workspace.database.read() as conn:
        former = tasks.get(conn, project_id, created)
    if former:
        forget_tasks(workspace, project_id, former)
        with workspace.database.write() as conn:
            tasks.remove(conn, project_id, former)


def planned_again(record: TaskRecord) -> PlannedTask:
    """What was asked by a task, to ask it anew."""
    details = dict(record.details or {})
    return PlannedTask(
        kind=record.kind,
        purpose=record.purpose,
        detections=record.detections,
        score=0.0 if record.score is None else record.score,
        suggested=details.pop("suggested", None),
        probability=details.pop("probability", None),
        reason=details.pop("reason", ""),
        details=details,
    )


def rank(
    workspace: Workspace, client: StockClient, project_id: int, records: Sequence[TaskRecord], version: str
) -> None:
    """Give tasks the place of their score in the queue of `version`; what they show stays.

    Raises LabelStudioError.
    """
    served = ServedFiles.of(workspace.settings, client.browser_path())
    label_config = str(client.project(project_id)["label_config"])
    config.refuse_earlier(project_id, label_config)
    for batch in chunks(records, CALL_TASKS):
        planned = [planned_again(record) for record in batch]
        screens = _Screens.read(workspace, served, project_id, label_config, planned)
        rows = [
            {"task": record.task_id, **screens.prediction(each, asked, version)}
            for record, each in zip(batch, planned, strict=True)
            if (asked := screens.asked(each)) is not None
        ]
        client.import_predictions(project_id, rows)
        with workspace.database.write() as conn:
            scores = {record.task_id: each.score for record, each in zip(batch, planned, strict=True)}
            tasks.set_places(conn, project_id, version, scores)


def _not_served_to(planned: PlannedTask) -> int | None:
    """The user of Label Studio from whom the task is kept."""
    annotator = str(planned.details.get(NOT_BY, ""))
    return int(annotator) if annotator.isdecimal() else None


def _stored_details(planned: PlannedTask) -> dict[str, Any] | None:
    """What `planned_again` needs, beside the task's other columns."""
    said = {"suggested": planned.suggested, "probability": planned.probability, "reason": planned.reason}
    return {
        **planned.details,
        **{name: value for name, value in said.items() if value not in (None, "")},
    } or None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Screens:
    """What the screens of some tasks show."""

    options: ScreenOptions
    words: Mapping[str, str]  # the choices with their hotkeys
    offered: Mapping[int, str]  # the word of each category, also of one that was merged since
    crops: ShownCrops
    likeliest: LikeliestSpecies

    @classmethod
    def read(
        cls,
        workspace: Workspace,
        served: ServedFiles,
        project_id: int,
        label_config: str,
        planned: Sequence[PlannedTask],
    ) -> _Screens:
        alone = [crop for each in planned if each.kind in ALONE for crop in each.detections]
        together = [crop for each in planned if each.kind not in ALONE for crop in each.detections]
        with workspace.database.read() as conn:
            project = projects.get(conn, project_id)
            words = choices.offered(conn, project_id)
            numbers, now = categories.numbers(conn), categories.resolved(conn)
        # A suggestion may be older than a merge of its category.
        offered = {number: words[now[number]] for number in now if now[number] in words}
        always = [numbers[name] for name in (EMPTY, PERSON, VEHICLE) if name in numbers]
        return cls(
            options=ScreenOptions.from_json(project.options),
            words=config.offered(label_config),
            offered=offered,
            crops=read_shown(workspace, served, alone, together),
            likeliest=read_likeliest(workspace, project, [*alone, *together], always),
        )

    def asked(self, planned: PlannedTask) -> Asked | None:
        """What the task asks; None if none of its crops has a picture."""
        ids = [crop for crop in planned.detections if crop in self.crops.contents]
        if not ids:
            return None
        suggested = None
        if planned.purpose not in UNBIASED and (
            planned.kind is not TaskKind.SINGLE or (planned.probability or 0.0) >= self.options.suggest_from
        ):
            suggested = self.offered.get(-1 if planned.suggested is None else planned.suggested)
        likeliest = self.likeliest.of(ids)
        return Asked(
            kind=planned.kind,
            purpose=planned.purpose,
            crops=tuple(self.crops.crop(crop, likeliest) for crop in ids),
            suggested=suggested,
            probability=planned.probability,
            version=self.likeliest.version,
            reason=planned.reason,
            count=_most_in_one_frame(self.crops, ids) if planned.kind is TaskKind.SEQUENCE else None,
            neighbours=self.crops.around(ids[0]) if planned.kind in ALONE else (),
            words=self.words,
        )

    def prediction(self, planned: PlannedTask, asked: Asked, version: str) -> dict[str, Any]:
        """The prediction with the task's place in the queue, as Label Studio takes it."""
        result = prediction_result(asked, self.options)
        return {"model_version": version, "score": planned.score, "result": result}


def _most_in_one_frame(crops: ShownCrops, ids: Sequence[str]) -> int:
    return max(Counter(crops.contents[crop].image_id for crop in ids).values())
