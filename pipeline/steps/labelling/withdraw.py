"""Annotations that the manager takes back: out of Label Studio, and marked as deleted in the oracle."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import LabelStudioError
from pipeline.label_studio.roles import WithdrawClient
from pipeline.records import Verdict
from pipeline.steps.labelling.record import mark_deleted
from pipeline.store import categories
from pipeline.store.database import chunks
from pipeline.store.oracle import LatestRevision
from pipeline.store.selections import Selection, select
from pipeline.workspace import Workspace

BATCH = 100  # annotations of one export


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """What is taken back."""

    annotations: int = 0
    tasks: int = 0
    crops: int = 0
    first: dt.datetime | None = None  # when the oldest of these annotations was made
    last: dt.datetime | None = None
    annotators: Mapping[str, int] = field(default_factory=dict)  # annotations of each, by e-mail address
    ways: Mapping[str, int] = field(default_factory=dict)  # crops of each way
    answers: Mapping[str, int] = field(default_factory=dict)  # crops by species; and unsure, skipped, struck


def annotator_id(client: WithdrawClient, who: str) -> str:
    """The id of the annotator with this e-mail address or id. Raises LabelStudioError for an unknown one."""
    if who.isdecimal():
        return who
    users = client.annotators()
    found = next((number for number, email in users.items() if email.lower() == who.lower()), None)
    if found is None:
        raise LabelStudioError(
            f"Label Studio has no user {who}", remedy=f"name one of {', '.join(sorted(users.values()))}"
        )
    return found


def find(
    workspace: Workspace, client: WithdrawClient, project_id: int, selection: Selection
) -> tuple[Withdrawal, dict[str, list[LatestRevision]]]:
    """What would be taken back, and the states that count of these annotations; changes nothing."""
    with workspace.database.read() as conn:
        found = select(conn, project_id, selection)
        names = categories.names(conn)
    return _summary(found, names, client.annotators() if found else {}), found


def withdraw(
    workspace: Workspace,
    client: WithdrawClient,
    project_id: int,
    found: Mapping[str, Sequence[LatestRevision]],
) -> None:
    """Delete these annotations in Label Studio, and mark them as deleted in the oracle.

    Their crops wait again, and Label Studio serves their tasks again. Both states stay in the oracle. Raises
    LabelStudioError; what was taken back until then is recorded.
    """
    for batch in chunks(found.items(), BATCH):
        states = dict(batch)
        present = _present(client, project_id, states)
        done = [uid for uid in states if uid not in present]  # Label Studio has them no more
        try:
            for uid, number in present.items():
                client.delete_annotation(number)
                done.append(uid)
        finally:
            mark_deleted(workspace, project_id, [state for uid in done for state in states[uid]])


def _present(
    client: WithdrawClient, project_id: int, states: Mapping[str, Sequence[LatestRevision]]
) -> dict[str, int]:
    """The id that each of these annotations has in Label Studio now: it uses ids again."""
    of_tasks = {of_one[0].annotation.task_id for of_one in states.values()}
    task_ids = sorted(number for number in of_tasks if number is not None)
    return {
        annotation["unique_id"]: int(annotation["id"])
        for task in client.exported_tasks(project_id, task_ids)
        for annotation in task.get("annotations") or []
        if annotation.get("unique_id") in states
    }


def _summary(
    found: Mapping[str, Sequence[LatestRevision]], names: Mapping[int, str], users: Mapping[str, str]
) -> Withdrawal:
    if not found:
        return Withdrawal()
    states = [state.annotation for of_one in found.values() for state in of_one]
    by_whom = Counter(of_one[0].annotation.annotator for of_one in found.values())
    answers = Counter(
        names[state.label]
        if state.verdict is Verdict.LABEL and state.label is not None
        else state.verdict.value
        for state in states
    )
    return Withdrawal(
        annotations=len(found),
        tasks=len({state.task_id for state in states}),
        crops=len({state.detection_id for state in states}),
        first=min(state.annotated_at for state in states),
        last=max(state.annotated_at for state in states),
        annotators={users.get(who or "", who or "nobody"): number for who, number in by_whom.most_common()},
        ways=dict(Counter(str(state.way) for state in states).most_common()),
        answers=dict(answers.most_common()),
    )
