"""Sequences and boards among the queue, and how often people confirm errors on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from pipeline.arrays import Ints
from pipeline.label_studio.screen import controls
from pipeline.records import Purpose, TaskKind, TaskRecord, Way
from pipeline.render.operations import status as rendered
from pipeline.steps.labelling.ask import PlannedTask, ask
from pipeline.steps.labelling.boards import waiting_rows
from pipeline.steps.labelling.groups import plan_groups
from pipeline.steps.labelling.stock import top_up
from pipeline.steps.labelling.sync import sync
from pipeline.steps.learning import confirmations as learning
from pipeline.steps.learning.cold_start import cold_start
from pipeline.steps.learning.confirmations import ConfirmationReport, confirmation_report
from pipeline.steps.learning.train import train
from pipeline.steps.operations.status import status
from pipeline.store import audits, categories, embeddings, oracle, predictions, projects, tasks
from pipeline.store.database import Database
from pipeline.store.pool import Pool
from pipeline.store.schema import embedding as embedding_table
from pipeline.workspace import Workspace
from tests.helpers import labelled_workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import (
    PROJECT,
    SEQUENCE,
    SPECIES,
    detection,
    make_workspace,
    populate,
    species,
)
from tests.helpers.results import Json, chose

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

CROPS, LABELLED, QUEUE = 480, 120, 60


@pytest.fixture
def server() -> FakeLabelStudio:
    return FakeLabelStudio(PROJECT, species=SPECIES)


@pytest.fixture
def workspace(database: Database, tmp_path: Path) -> Workspace:
    """480 crops in sequences of three, of which 120 are labelled."""
    populate(database, CROPS, asked=False)
    labelled_workspace.label(database, range(LABELLED))
    return make_workspace(database, tmp_path, top_k=QUEUE)


@pytest.fixture
def new(database: Database, tmp_path: Path) -> Workspace:
    """Sixty crops that nobody has labelled."""
    populate(database, 60, asked=False)
    return make_workspace(database, tmp_path, top_k=QUEUE)


def topped(workspace: Workspace, server: FakeLabelStudio) -> None:
    top_up(workspace, server, PROJECT)


def trained(workspace: Workspace, server: FakeLabelStudio) -> list[TaskRecord]:
    """After a training and its top-up: the tasks that have a place in the queue, in their order."""
    train(workspace, PROJECT)
    topped(workspace, server)
    return placed(workspace)


def ask_again(workspace: Workspace, server: FakeLabelStudio) -> None:
    """Ask the whole queue of the current version once more."""
    with workspace.database.write() as conn:
        predictions.unpush(conn, str(projects.get(conn, PROJECT).current_model))
    topped(workspace, server)


def placed(workspace: Workspace) -> list[TaskRecord]:
    with workspace.database.read() as conn:
        version = projects.get(conn, PROJECT).current_model
        found = [task for task in tasks.open_tasks(conn, PROJECT) if task.model_version == version]
    return sorted(
        (task for task in found if task.score is not None and task.score < 1),
        key=lambda task: task.score or 0,
    )


def of_kind(
    found: Sequence[TaskRecord], kind: TaskKind, purpose: Purpose = Purpose.QUEUE
) -> list[TaskRecord]:
    return [task for task in found if task.kind is kind and task.purpose is purpose]


def crops_of(found: Sequence[TaskRecord]) -> list[str]:
    return [crop for task in found for crop in task.detections]


def true(crop: str) -> str:
    return species(int(crop.removeprefix("d")))


def audited(workspace: Workspace) -> set[str]:
    with workspace.database.read() as conn:
        return audits.drawn_ids(conn, PROJECT)


def answered(workspace: Workspace, server: FakeLabelStudio, task: TaskRecord, *, by: int = 1) -> None:
    """A person answers by the truth: strikes out what is not what most are."""
    names = [true(crop) for crop in task.detections]
    most = Counter(names).most_common(1)[0][0]
    struck = [crop for crop, name in zip(task.detections, names, strict=True) if name != most]
    if task.kind is TaskKind.SINGLE:
        submitted(workspace, server, task, chose(controls.SPECIES, most), by=by)
    else:
        submitted(workspace, server, task, chose(controls.ALL, most), chose(controls.STRUCK, *struck), by=by)


def submitted(
    workspace: Workspace, server: FakeLabelStudio, task: TaskRecord, *result: Json, by: int = 1
) -> int:
    number = server.submit(task.task_id, list(result), by=by)
    sync(workspace, server, PROJECT)
    return number


def labels(workspace: Workspace) -> dict[str, str]:
    with workspace.database.read() as conn:
        names = categories.names(conn)
        return {crop: names[number] for crop, number in oracle.labels(conn).items()}


def confirmed(workspace: Workspace) -> ConfirmationReport:
    with workspace.database.read() as conn:
        return confirmation_report(conn, PROJECT)


# --- sequences


@pytest.mark.both_databases
def test_queued_crops_bring_along_their_sequence_in_the_order_of_time(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    found = trained(workspace, server)
    sequences = of_kind(found, TaskKind.SEQUENCE)
    assert len(sequences) > 20
    for task in sequences:
        numbers = [int(crop.removeprefix("d")) for crop in task.detections]
        assert numbers == sorted(numbers)
        assert len({number // SEQUENCE for number in numbers}) == 1
        data = server.data[task.task_id]
        assert (data["kind"], data["detections"]) == ("sequence", list(task.detections))
        assert data["species"] in ("", *SPECIES)


def test_no_crop_is_in_two_tasks_and_crops_of_the_audit_come_alone(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    found = trained(workspace, server)
    everything = crops_of(found)
    assert len(everything) == len(set(everything))
    drawn = audited(workspace)
    assert drawn.intersection(everything)
    for task in found:
        assert task.kind is TaskKind.SINGLE or drawn.isdisjoint(task.detections)


def test_before_the_first_head_whole_sequences_come(new: Workspace, server: FakeLabelStudio) -> None:
    cold_start(new, PROJECT)
    topped(new, server)
    sizes = Counter(len(task.detections) for task in of_kind(placed(new), TaskKind.SEQUENCE))
    assert sizes[SEQUENCE] > 10
    assert not of_kind(placed(new), TaskKind.BOARD)


def test_crops_that_the_version_surely_names_otherwise_are_no_part_of_the_sequence(
    workspace: Workspace, server: FakeLabelStudio, database: Database
) -> None:
    with database.write() as conn:  # sequences that mix species: 0, 3, 6, ... of three sequences are one
        conn.execute(sa.text("UPDATE image SET seq_id = 'mixed ' || (CAST(SUBSTR(id, 2) AS INTEGER) / 9)"))
    found = of_kind(trained(workspace, server), TaskKind.SEQUENCE)
    mixed = [task for task in found if len({true(crop) for crop in task.detections}) > 1]
    assert len(found) > 20
    assert len(mixed) < len(found) / 5


def test_a_second_top_up_asks_nothing_more(workspace: Workspace, server: FakeLabelStudio) -> None:
    before = trained(workspace, server)
    topped(workspace, server)
    assert [task.task_id for task in placed(workspace)] == [task.task_id for task in before]


# --- boards


@pytest.mark.both_databases
def test_after_a_training_boards_come_among_the_queue(workspace: Workspace, server: FakeLabelStudio) -> None:
    found = trained(workspace, server)
    boards = of_kind(found, TaskKind.BOARD)
    assert boards
    assert found.index(boards[0]) == 9
    for board in boards:
        data = server.data[board.task_id]
        named = Counter(true(crop) for crop in board.detections)
        assert named[data["species"]] >= 0.8 * len(board.detections)
        assert 0 <= (board.score or 0) < 1
        [prediction] = [each for each in server.predictions if each["task"] == board.task_id]
        assert prediction["result"][0]["value"]["choices"] == [data["species"]]


def test_a_top_up_that_asks_nothing_seeks_no_boards_in_the_pool(
    workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    for board in of_kind(trained(workspace, server), TaskKind.BOARD):
        answered(workspace, server, board)
    sought: list[str] = []

    def seek(workspace: Workspace, pool: Pool, apart: Set[str]) -> Ints:
        sought.append("waiting crops")
        return waiting_rows(workspace, pool, apart)

    monkeypatch.setattr("pipeline.steps.labelling.boards.waiting_rows", seek)
    topped(workspace, server)
    assert not sought


def test_boards_hold_no_crops_that_come_with_a_later_part_of_the_queue(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    with workspace.database.write() as conn:
        projects.set_options(conn, PROJECT, {"stock": 24})
    boards = of_kind(trained(workspace, server), TaskKind.BOARD)
    with workspace.database.read() as conn:
        version = projects.get(conn, PROJECT).current_model or ""
        later = {place.detection_id for place in predictions.unpushed(conn, version)}
    assert boards
    assert later
    assert later.isdisjoint(crops_of(boards))


def test_boards_hold_no_novel_crops(
    workspace: Workspace, server: FakeLabelStudio, database: Database
) -> None:
    populate(database, CROPS + 60, first=CROPS, asked=False, strange=True)
    found = trained(workspace, server)
    boards = crops_of(of_kind(found, TaskKind.BOARD))
    assert boards
    assert not [crop for crop in boards if int(crop.removeprefix("d")) >= CROPS]


def test_a_project_can_do_without_boards(
    workspace: Workspace, server: FakeLabelStudio, database: Database
) -> None:
    with database.write() as conn:
        conn.execute(sa.text("UPDATE project SET options = '{\"boards\": false}'"))
    found = trained(workspace, server)
    assert of_kind(found, TaskKind.SEQUENCE)
    assert not [task for task in found if task.kind is TaskKind.BOARD]


def test_a_version_of_few_labels_makes_no_boards(
    database: Database, tmp_path: Path, server: FakeLabelStudio
) -> None:
    populate(database, CROPS, asked=False)
    labelled_workspace.label(database, range(60))
    found = trained(make_workspace(database, tmp_path, top_k=QUEUE), server)
    assert of_kind(found, TaskKind.SEQUENCE)
    assert not [task for task in found if task.kind is TaskKind.BOARD]


def test_a_species_that_was_taken_from_the_list_has_no_board(
    workspace: Workspace,
) -> None:
    server = FakeLabelStudio(PROJECT, species=["deer", "boar"])
    boards = of_kind(trained(workspace, server), TaskKind.BOARD)
    assert boards
    assert {server.data[board.task_id]["species"] for board in boards} <= {"deer", "boar"}


def test_struck_crops_come_alone_and_in_no_further_group(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    [board, *_] = of_kind(trained(workspace, server), TaskKind.BOARD)
    submitted(
        workspace,
        server,
        board,
        chose(controls.ALL, "deer"),
        chose(controls.STRUCK, *board.detections),
        chose(controls.STRUCK_SPECIES, controls.ONE_BY_ONE),
    )
    assert not set(board.detections) & labels(workspace).keys()
    labelled_workspace.label(workspace.database, range(LABELLED, LABELLED + 60))
    found = trained(workspace, server)
    struck = [task for task in found if not set(board.detections).isdisjoint(task.detections)]
    assert struck
    assert {task.kind for task in struck} == {TaskKind.SINGLE}
    assert [task.score for task in struck[:1]] < [-3]


def test_what_was_said_of_a_crop_alone_stands_when_its_board_is_answered_later(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    [board, *_] = of_kind(trained(workspace, server), TaskKind.BOARD)
    first, second = board.detections[:2]
    [alone] = ask(
        workspace,
        server,
        PROJECT,
        [PlannedTask(kind=TaskKind.SINGLE, purpose=Purpose.QUEUE, detections=(first,), score=0.5)],
    )
    said = next(name for name in SPECIES if name != true(first))
    submitted(workspace, server, alone, chose(controls.SPECIES, said), by=2)
    answered(workspace, server, board)
    assert labels(workspace)[first] == said
    assert labels(workspace)[second] == true(second)


def test_new_boards_leave_out_what_an_open_board_of_the_same_version_asks_about(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    found = trained(workspace, server)
    boards = of_kind(found, TaskKind.BOARD)
    populate(workspace.database, 2 * CROPS, first=CROPS, asked=False)
    single = [
        PlannedTask(
            kind=TaskKind.SINGLE, purpose=Purpose.QUEUE, detections=(detection(number),), score=number / 1_000
        )
        for number in range(CROPS, CROPS + 120, SEQUENCE)
    ]
    again = plan_groups(workspace, PROJECT, single)
    assert any(task.kind is TaskKind.BOARD for task in again)
    assert set(crops_of(boards)).isdisjoint(crop for task in again for crop in task.detections)


def test_a_queue_that_is_asked_again_asks_about_the_same_sequences(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    before = of_kind(trained(workspace, server), TaskKind.SEQUENCE)
    ask_again(workspace, server)
    after = of_kind(placed(workspace), TaskKind.SEQUENCE)
    assert [task.detections for task in after] == [task.detections for task in before]
    assert {task.task_id for task in after}.isdisjoint(task.task_id for task in before)


def test_what_a_queue_has_of_boards_counts_when_more_of_it_is_asked(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    before = of_kind(trained(workspace, server), TaskKind.BOARD)
    ask_again(workspace, server)
    after = of_kind(placed(workspace), TaskKind.BOARD)
    assert [task.task_id for task in after] == [task.task_id for task in before]


def test_a_new_version_asks_anew_about_the_crops_of_open_boards(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    before = trained(workspace, server)
    labelled_workspace.label(workspace.database, range(LABELLED, LABELLED + 60))
    after = trained(workspace, server)
    assert {task.model_version for task in after} != {task.model_version for task in before}
    with workspace.database.read() as conn:
        asked = Counter(
            crops_of([task for task in tasks.open_tasks(conn, PROJECT) if task.purpose is Purpose.QUEUE])
        )
    assert max(asked.values()) == 1


# --- confirmations


def test_crops_confirmed_together_are_asked_again_alone_at_random_and_tell_how_many_are_wrong(
    workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "SHARE", 0.3)
    found = trained(workspace, server)
    boards, sequences = of_kind(found, TaskKind.BOARD), of_kind(found, TaskKind.SEQUENCE)
    for board in boards:  # nobody looks: everything is confirmed
        submitted(workspace, server, board, chose(controls.ALL, "boar"))
    for task in sequences:
        answered(workspace, server, task)
    report = confirmed(workspace)
    assert set(report.ways) == {Way.BOARD, Way.SEQUENCE}
    assert report.ways[Way.BOARD].labels == len(crops_of(boards))
    assert report.ways[Way.BOARD].value is None
    assert (report.ways[Way.BOARD].low, report.ways[Way.BOARD].high) == (0, 1)
    assert 0.1 < report.waiting / len(crops_of([*boards, *sequences])) < 0.5

    checks = of_kind(trained(workspace, server), TaskKind.SINGLE, Purpose.CONFIRMATION)
    assert checks
    for check in checks:
        data = server.data[check.task_id]
        assert (data["species"], data["version"] is not None) == ("", True)
        [prediction] = [each for each in server.predictions if each["task"] == check.task_id]
        assert prediction["result"] == []
        answered(workspace, server, check, by=2)
    told = confirmed(workspace)
    drawn = {check.detections[0] for check in checks}
    on_boards = drawn.intersection(crops_of(boards))
    assert told.ways[Way.SEQUENCE].wrong == 0
    assert told.ways[Way.BOARD].checked == len(on_boards)
    assert told.ways[Way.BOARD].wrong == sum(true(crop) != "boar" for crop in on_boards) > 0
    assert told.ways[Way.BOARD].low <= (told.ways[Way.BOARD].value or 0) <= told.ways[Way.BOARD].high
    assert {crop: labels(workspace)[crop] for crop in drawn} == {crop: true(crop) for crop in drawn}
    assert told.waiting == report.waiting - len(checks)
    text = rendered(status(workspace)).splitlines()
    of_sequences, of_boards = (next(line for line in text if f"from {way}s" in line) for way in report.ways)
    wrong = told.ways[Way.BOARD]
    assert list(report.ways) == [Way.SEQUENCE, Way.BOARD]
    assert f"{wrong.wrong} of {wrong.checked} that were asked again alone" in of_boards
    assert "of which 0% (0% to " in of_sequences


def test_a_confirmation_is_asked_once(
    workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "SHARE", 1.0)
    for task in trained(workspace, server):
        if task.kind is not TaskKind.SINGLE:
            answered(workspace, server, task)
    trained(workspace, server)
    labelled_workspace.label(workspace.database, range(LABELLED, LABELLED + 1))
    asked = crops_of(of_kind(trained(workspace, server), TaskKind.SINGLE, Purpose.CONFIRMATION))
    assert asked
    assert len(asked) == len(set(asked))


def test_a_board_that_was_taken_back_counts_no_more(workspace: Workspace, server: FakeLabelStudio) -> None:
    [board, *_] = of_kind(trained(workspace, server), TaskKind.BOARD)
    number = submitted(workspace, server, board, chose(controls.ALL, "boar"))
    assert confirmed(workspace).ways[Way.BOARD].labels == len(board.detections)
    server.delete(number)
    sync(workspace, server, PROJECT)
    assert confirmed(workspace).ways == {}


def test_the_draw_takes_its_share_whatever_the_ids_and_not_the_audits_own() -> None:
    from pipeline.store.confirmations import is_drawn

    ids = [detection(number) for number in range(20_000)]
    drawn = [crop for crop in ids if is_drawn(PROJECT, crop, 0.02)]
    assert 320 < len(drawn) < 480
    first_of_the_audit = sorted(ids, key=partial(audits._order, PROJECT))[: len(drawn)]
    assert len(set(drawn).intersection(first_of_the_audit)) < 30


# --- suggestions among the queue


def strangers(workspace: Workspace, count: int = 12) -> list[str]:
    """Crops that resemble each other and nothing else."""
    populate(workspace.database, CROPS + count, first=CROPS, asked=False, strange=True)
    rng = np.random.default_rng(0)
    centre = rng.normal(size=8) * 0.1 - 3
    with workspace.database.write() as conn:
        for number in range(CROPS, CROPS + count):
            vector = (centre + 0.01 * rng.normal(size=8)).astype(embeddings.VECTOR)
            conn.execute(
                sa.update(embedding_table)
                .where(embedding_table.c.detection_id == detection(number))
                .values(vector=vector.tobytes())
            )
    return [detection(number) for number in range(CROPS, CROPS + count)]


def test_look_alikes_of_an_unknown_species_come_among_the_queue_without_a_suggestion(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    unknown = strangers(workspace)
    suggested = of_kind(trained(workspace, server), TaskKind.BOARD, Purpose.SUGGESTION)
    [board] = [task for task in suggested if set(task.detections) & set(unknown)]
    assert len(board.detections) >= 8
    assert set(board.detections) <= set(unknown)
    assert 0 < (board.score or 0) < 1
    assert server.data[board.task_id]["species"] == ""


@pytest.mark.parametrize("why", ["queued", "audited"])
def test_a_suggestion_leaves_the_stream_when_one_of_its_crops_comes_alone(
    workspace: Workspace, server: FakeLabelStudio, why: str
) -> None:
    unknown = strangers(workspace)
    suggested = of_kind(trained(workspace, server), TaskKind.BOARD, Purpose.SUGGESTION)
    [board] = [task for task in suggested if set(task.detections) & set(unknown)]
    crop = board.detections[0]
    with workspace.database.write() as conn:
        if why == "audited":
            audits.draw(conn, PROJECT, [crop], 1, requested=True)
        else:  # by a queue that was made anew
            version = board.model_version or ""
            queue = predictions.queue(conn, version)
            place = replace(queue[-1], detection_id=crop, rank=len(queue), category_id=None)
            predictions.replace(conn, version, [*queue, place])
    topped(workspace, server)
    with workspace.database.read() as conn:
        found = tasks.open_tasks(conn, PROJECT)
    assert board.task_id not in {task.task_id for task in found}
    assert set(Counter(crops_of(found)).values()) == {1}
    assert crop in crops_of(found)


def test_the_next_version_has_suggestions_of_its_own(workspace: Workspace, server: FakeLabelStudio) -> None:
    strangers(workspace)
    [before, *_] = of_kind(trained(workspace, server), TaskKind.BOARD, Purpose.SUGGESTION)
    labelled_workspace.label(workspace.database, range(LABELLED, LABELLED + 60))
    after = of_kind(trained(workspace, server), TaskKind.BOARD, Purpose.SUGGESTION)
    with workspace.database.read() as conn:
        open_ids = {task.task_id for task in tasks.open_tasks(conn, PROJECT)}
    assert before.task_id not in open_ids
    assert any(set(before.detections) & set(task.detections) for task in after)


def test_a_suggestion_whose_crops_have_labels_leaves_the_stream_and_can_still_be_answered(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    strangers(workspace)
    [board, *_] = of_kind(trained(workspace, server), TaskKind.BOARD, Purpose.SUGGESTION)
    labelled_workspace.label(workspace.database, [int(crop.removeprefix("d")) for crop in board.detections])
    topped(workspace, server)
    assert board.task_id not in server.tasks_in_stream(PROJECT)
    submitted(workspace, server, board, chose(controls.ALL, "boar"))
    with workspace.database.read() as conn:
        history = oracle.histories(conn, board.detections)
    assert all(Way.SUGGESTION in {entry.way for entry in entries} for entries in history.values())


def test_every_tenth_task_is_of_the_audit_though_the_queue_is_renewed_after_four(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    done: list[TaskRecord] = []
    while len(done) < 24:
        for task in trained(workspace, server)[:4]:
            answered(workspace, server, task)
            done.append(task)
    of_audit = [place for place, task in enumerate(done, 1) if task.purpose is Purpose.AUDIT]
    assert of_audit == [10, 20]
