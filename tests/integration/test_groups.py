"""Answers of sequences, boards and whole photographs: webhooks and syncs bring each to its detections."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from backend.webhook import receive
from pipeline.current_label import current_label
from pipeline.records import TaskKind, TaskRecord, Verdict, Way
from pipeline.settings import Settings
from pipeline.steps.labelling.sync import SyncReport, reset_watermark, sync
from pipeline.store import audits, categories, detections, oracle, tasks
from pipeline.store.database import Database
from pipeline.store.schema import oracle as oracle_table
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio, Json
from tests.helpers.groups import (
    BOARD,
    DEER,
    FRAME,
    FRAMES,
    PROJECT,
    SEQUENCE,
    SHOWN,
    SUGGESTION,
    grouped_label_studio,
    labels,
    publish_groups,
)
from tests.helpers.results import chose, drew, typed

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

UNSTORED = 25
PREDICTION = {"model_version": "v1", "result": DEER}


@pytest.fixture
def workspace(database: Database, tmp_path: Path) -> Workspace:
    publish_groups(database)
    return Workspace(settings=Settings(data_dir=tmp_path, database_url=""), database=database)


@pytest.fixture
def server(workspace: Workspace) -> FakeLabelStudio:
    """A Label Studio that loses no webhook."""
    made = grouped_label_studio()
    made.webhook = lambda payload: receive(workspace, payload, lambda _: None)
    return made


@pytest.fixture
def synced(workspace: Workspace, server: FakeLabelStudio) -> Callable[[], SyncReport]:
    def run() -> SyncReport:
        """A full sync."""
        reset_watermark(workspace, PROJECT)
        return sync(workspace, server, PROJECT)

    return run


def entries(workspace: Workspace, detection_id: str) -> list[Any]:
    """The rows of a detection, oldest first."""
    query = sa.select(oracle_table).where(oracle_table.c.detection_id == detection_id)
    with workspace.database.read() as conn:
        return list(conn.execute(query.order_by(oracle_table.c.id)))


def row_count(workspace: Workspace) -> int:
    with workspace.database.read() as conn:
        return conn.execute(sa.select(sa.func.count()).select_from(oracle_table)).scalar_one()


def answered_at(workspace: Workspace, task: int) -> dt.datetime | None:
    with workspace.database.read() as conn:
        return tasks.get(conn, PROJECT, [task])[task].answered_at


# --- one answer for several crops


@pytest.mark.both_databases
def test_a_board_labels_all_that_was_not_struck_out(workspace: Workspace, server: FakeLabelStudio) -> None:
    server.submit(BOARD, [*DEER, chose("struck_0", "d3")], by=5, prediction=PREDICTION)
    assert labels(workspace) == {"d1": "deer", "d2": "deer", "d3": "struck", "d4": "deer"}
    [kept], [struck] = entries(workspace, "d1"), entries(workspace, "d3")
    assert (kept.way, kept.kept, kept.annotator, kept.model_version) == ("board", True, "5", "v1")
    assert (struck.verdict, struck.way, struck.kept) == ("struck", "board", False)
    assert kept.lead_time == pytest.approx(1.5 / 4)  # of the board, shared by its crops
    assert answered_at(workspace, BOARD) == server.now


def test_what_was_struck_gets_the_species_that_is_named_with_it(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    named = [chose("struck_0", "d3", "d4"), chose("struck_species_0", "another species")]
    server.submit(BOARD, [*DEER, *named, chose("struck_another_0", "Fox")])
    assert labels(workspace) == {"d1": "deer", "d2": "deer", "d3": "fox", "d4": "fox"}
    [row] = entries(workspace, "d3")
    assert (row.kept, row.verdict) == (False, "label")


def test_another_answer_for_all_is_no_kept_suggestion(workspace: Workspace, server: FakeLabelStudio) -> None:
    server.submit(BOARD, [*DEER, chose("all_0", "fox")])
    assert set(labels(workspace).values()) == {"fox"}
    assert [entries(workspace, id_)[0].kept for id_ in ("d1", "d4")] == [False, False]


def test_a_board_of_which_everything_is_struck_confirms_nothing(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    server.submit(BOARD, [*DEER, chose("struck_0", "d1", "d2", "d3", "d4")])
    assert set(labels(workspace).values()) == {"struck"}
    with workspace.database.read() as conn:
        assert oracle.struck_ids(conn, PROJECT) == {"d1", "d2", "d3", "d4"}


def test_a_sequence_has_a_count_and_each_way_its_name(workspace: Workspace, server: FakeLabelStudio) -> None:
    server.submit(
        SEQUENCE, [chose("all_0", "deer"), chose("group_count_0", "2"), typed("group_comment_0", "x")]
    )
    server.submit(SUGGESTION, DEER)
    server.annotate(1, "fox")
    ways = [entries(workspace, id_)[0].way for id_ in ("d5", "d7", "d1")]
    assert ways == [Way.SEQUENCE, Way.SUGGESTION, Way.SINGLE]
    [row] = entries(workspace, "d6")
    assert (row.attributes, row.kept) == ({"sequence_count": 2, "comment": "x"}, None)


def test_what_was_struck_out_of_a_sequence_was_not_counted_in_it(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    struck = [chose("struck_0", "d6"), chose("struck_species_0", "fox")]
    given = [chose("group_count_0", "2"), typed("group_comment_0", "x")]
    server.submit(SEQUENCE, [chose("all_0", "deer"), *struck, *given])
    [deer], [fox] = entries(workspace, "d5"), entries(workspace, "d6")
    assert deer.attributes == {"sequence_count": 2, "comment": "x"}
    assert fox.attributes == {"comment": "x"}


def test_a_single_has_its_attributes_and_the_answer_of_a_group_in_it_is_ignored(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    said = [chose("species_0", "fox"), chose("count_0", "2"), chose("sex_0", "female")]
    server.submit(1, [chose("suggested_0", "deer"), *said, chose("all_0", "deer"), chose("struck_0", "d1")])
    [row] = entries(workspace, "d1")
    assert (row.attributes, row.kept) == ({"count": 2, "sex": "female"}, False)
    assert labels(workspace) == {"d1": "fox"}
    server.submit(2, [chose("suggested_0", "deer")])
    assert entries(workspace, "d2")[0].kept is True


def test_a_typed_name_becomes_a_category_and_is_known_as_typed(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    unlisted = [chose("species_0", "another species"), chose("another_0", "not in the list")]
    server.submit(1, [*unlisted, typed("name_0", "Kinkajou")])
    assert labels(workspace) == {"d1": "kinkajou"}
    assert entries(workspace, "d1")[0].attributes == {"proposed": "kinkajou"}


# --- whole photographs


def test_photographs_are_signed_off_as_empty_and_struck_ones_are_asked_about_alone(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    server.submit(FRAMES, [chose("all_suggested_0", "empty"), chose("struck_0", "d6")])
    assert labels(workspace) == {"d5": "empty", "d6": "struck"}


def test_a_photograph_with_a_drawn_box_is_not_empty(workspace: Workspace, server: FakeLabelStudio) -> None:
    drawn = server.submit(FRAME, [drew("manual", x=10, y=20, width=30, height=40)])
    [row] = entries(workspace, "d7")
    assert (row.verdict, row.attributes, row.way) == ("unsure", {"boxes": [[0.1, 0.2, 0.4, 0.6]]}, "single")
    server.update(drawn, [chose("photo_empty_0", "no animal")])
    assert labels(workspace) == {"d7": "empty"}


def test_a_box_that_was_moved_is_known_with_the_answer(workspace: Workspace, server: FakeLabelStudio) -> None:
    moved = drew("prediction-changed", x=0, y=0, width=50, height=50)
    server.submit(1, [chose("species_0", "fox"), moved])
    assert entries(workspace, "d1")[0].attributes == {"boxes": [[0.0, 0.0, 0.5, 0.5]]}


# --- several people, and what was said before


def test_boards_of_two_people_are_two_votes(workspace: Workspace, server: FakeLabelStudio) -> None:
    server.submit(BOARD, DEER, by=1)
    server.submit(BOARD, [*DEER, chose("struck_0", "d2"), chose("struck_species_0", "fox")], by=2)
    assert labels(workspace) == {"d1": "deer", "d3": "deer", "d4": "deer"}
    with workspace.database.read() as conn:
        assert oracle.disputed_ids(conn, PROJECT) == {"d2"}
        [history] = oracle.histories(conn, ["d1"]).values()
        assert current_label(history).votes == 2


def test_a_board_whose_crops_were_labelled_meanwhile_does_not_outvote_who_looked_alone(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    server.annotate(1, "fox", by=1)
    server.annotate(2, "unsure", by=1)
    server.annotate(3, None, skip=True, by=1)
    for annotator in (1, 2, 3):
        server.submit(BOARD, DEER, by=annotator)
    assert labels(workspace) == {"d1": "fox", "d2": "unsure", "d3": "deer", "d4": "deer"}
    assert len(entries(workspace, "d1")) == 4


def test_a_species_that_was_removed_from_the_list_meanwhile_is_recorded(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    with workspace.database.write() as conn:
        categories.merge(conn, ["roe deer"], "deer")
    server.submit(BOARD, [chose("all_suggested_0", "Roe Deer")])
    assert labels(workspace) == dict.fromkeys(("d1", "d2", "d3", "d4"), "deer")
    assert entries(workspace, "d1")[0].kept is True
    server.submit(SEQUENCE, [chose("all_0", "lynx")])
    assert labels(workspace)["d5"] == "lynx"


def test_stray_ids_and_keys_are_ignored(workspace: Workspace, server: FakeLabelStudio) -> None:
    stray = [chose("struck_0", "d3", "d8", "no such crop"), chose("species_0", "fox"), chose("sex_0", "male")]
    server.submit(BOARD, [*DEER, *stray, chose("new_0", "x")])
    assert labels(workspace) == {"d1": "deer", "d2": "deer", "d3": "struck", "d4": "deer"}
    assert entries(workspace, "d1")[0].attributes is None


def test_a_board_without_an_answer_leaves_its_crops(workspace: Workspace, server: FakeLabelStudio) -> None:
    server.submit(BOARD, [chose("view_0", "brighter")])
    assert set(labels(workspace).values()) == {"skipped"}
    assert answered_at(workspace, BOARD) == server.now  # Label Studio asks nobody else
    skip = server.submit(SEQUENCE, DEER, skip=True)
    assert labels(workspace)["d5"] == "skipped"
    assert answered_at(workspace, SEQUENCE) is None  # Label Studio asks others
    server.update(skip, DEER)
    assert labels(workspace)["d5"] == "deer"
    assert answered_at(workspace, SEQUENCE) == server.now


# --- the audit


@pytest.mark.both_databases
def test_a_crop_of_the_audit_gets_no_label_from_a_group(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    with workspace.database.write() as conn:
        audits.draw(conn, PROJECT, ["d2"], 1)
    server.submit(BOARD, DEER)
    assert labels(workspace) == {"d1": "deer", "d2": "struck", "d3": "deer", "d4": "deer"}
    with workspace.database.read() as conn:
        assert audits.sample(conn, PROJECT).waiting == ("d2",)
    server.annotate(2, "deer")
    with workspace.database.read() as conn:
        assert audits.sample(conn, PROJECT).labelled == ("d2",)


def test_a_label_of_the_audit_counts_only_if_it_was_given_alone_and_without_a_suggestion(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    server.submit(SEQUENCE, DEER)
    with workspace.database.write() as conn:
        audits.draw(conn, PROJECT, ["d1", "d2", "d5"], 3)
    server.annotate(1, "deer", shown="deer")
    server.annotate(2, "deer")
    with workspace.database.read() as conn:
        sample = audits.sample(conn, PROJECT)
    assert (sample.labelled, sample.unanswered) == (("d2",), 2)
    server.annotate(1, "deer", by=2)  # once more, without a suggestion
    with workspace.database.read() as conn:
        assert set(audits.sample(conn, PROJECT).labelled) == {"d1", "d2"}


# --- changes


@pytest.mark.both_databases
def test_an_updated_board_is_a_revision_of_what_changed(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    answer = server.submit(BOARD, [*DEER, chose("struck_0", "d3")])
    server.update(answer, [*DEER, chose("struck_0", "d4")])
    assert labels(workspace) == {"d1": "deer", "d2": "deer", "d3": "deer", "d4": "struck"}
    assert [len(entries(workspace, id_)) for id_ in ("d1", "d2", "d3", "d4")] == [1, 1, 2, 2]
    assert answered_at(workspace, BOARD) == server.now


def test_what_label_studio_sent_of_a_board_is_stored_once_with_each_revision(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    sent = [[*DEER, chose("struck_0", "d3")], [*DEER, chose("struck_0", "d3", "d4")]]
    number = server.submit(BOARD, sent[0])
    server.update(number, sent[1])
    with workspace.database.read() as conn:
        stored = conn.scalars(sa.select(oracle_table.c.result).order_by(oracle_table.c.id)).all()
    assert [result for result in stored if result is not None] == sent
    assert len(stored) == 5


def test_a_deleted_annotation_takes_the_whole_board_back(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    server.delete(server.submit(BOARD, DEER))
    assert labels(workspace) == {}
    assert [row.verdict for row in entries(workspace, "d1")] == ["label", "deleted"]
    assert answered_at(workspace, BOARD) is None


def test_a_task_that_somebody_deletes_takes_its_labels_with_it(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    server.submit(BOARD, DEER)
    server.delete_task(BOARD)
    assert labels(workspace) == {}
    with workspace.database.read() as conn:
        assert tasks.get(conn, PROJECT, [BOARD]) == {}


def test_a_task_that_wildloop_deletes_keeps_what_people_said(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    annotation = server.submit(BOARD, DEER)
    with workspace.database.write() as conn:
        tasks.set_deleted(conn, PROJECT, [BOARD])
    server._send("ANNOTATIONS_DELETED", annotations=[{"id": annotation}])
    server.delete_task(BOARD)
    assert len(labels(workspace)) == 4
    server.annotate(5, "fox")
    report = synced()
    assert (report.new, report.tasks_deleted) == (0, 0)
    assert len(labels(workspace)) == 5


# --- lost webhooks


@pytest.mark.both_databases
def test_a_sync_repairs_what_webhooks_missed_and_a_second_one_changes_nothing(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    receiving, server.webhook = server.webhook, None
    board = server.submit(BOARD, [*DEER, chose("struck_0", "d3")], prediction=PREDICTION)
    server.submit(SUGGESTION, [chose("all_0", "lynx")])
    assert synced().new == 6
    assert labels(workspace) == {
        **{"d1": "deer", "d2": "deer", "d3": "struck", "d4": "deer"},
        **{"d7": "lynx", "d8": "lynx"},
    }
    server.exported.clear()
    assert (synced().new, server.exported) == (0, [])
    server.update(board, [*DEER, chose("struck_0", "d3"), chose("struck_species_0", "fox")])
    assert synced().new == 1
    assert (synced().new, labels(workspace)["d3"]) == (0, "fox")
    server.delete(board)
    assert (synced().new, labels(workspace)) == (4, {"d7": "lynx", "d8": "lynx"})
    server.webhook = receiving
    server.submit(BOARD, DEER)
    rows = row_count(workspace)
    assert (synced().new, row_count(workspace)) == (0, rows)


def test_a_sync_leaves_a_board_that_was_updated_without_a_change(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    server.update(server.submit(BOARD, DEER), DEER)
    assert (synced().new, synced().new, row_count(workspace)) == (0, 0, 4)


def test_a_task_that_is_not_stored_is_known_by_its_data(
    workspace: Workspace, server: FakeLabelStudio, synced: Any
) -> None:
    server.webhook = None
    data = {"kind": "board", "purpose": "queue", "detections": ["d1", "no such crop", "d2"]}
    server.add_task(UNSTORED, data)
    server.submit(UNSTORED, DEER)
    report = synced()
    assert (report.new, report.foreign) == (2, 0)
    assert labels(workspace) == {"d1": "deer", "d2": "deer"}
    with workspace.database.read() as conn:
        assert tasks.get(conn, PROJECT, [UNSTORED])[UNSTORED].kind is TaskKind.BOARD
    assert entries(workspace, "d1")[0].way == "board"


@pytest.mark.parametrize(
    "data", [{}, {"detections": "d1"}, {"detections": [7]}, {"detections": ["x"], "kind": ["board"]}]
)
def test_a_task_that_names_no_crop_is_foreign(server: FakeLabelStudio, synced: Any, data: Json) -> None:
    server.webhook = None
    server.add_task(UNSTORED, data)
    server.submit(UNSTORED, DEER)
    assert (synced().foreign, synced().new) == (1, 0)


def test_tasks_that_wildloop_changed_are_no_work_of_people(server: FakeLabelStudio, synced: Any) -> None:
    server.annotate(1, "deer")
    synced()
    for task in (2, BOARD, FRAME):
        server.touch(task)
    report = synced()
    assert (report.tasks, report.new) == (1, 0)


def test_a_task_that_is_restored_with_its_crops_in_another_order_shifts_no_answer(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    struck = server.submit(BOARD, [*DEER, chose("struck_0", "d3")])
    with workspace.database.write() as conn:
        tasks.remove(conn, PROJECT, [BOARD])
        again = TaskRecord(
            project_id=PROJECT, task_id=BOARD, kind=TaskKind.BOARD, detections=("d4", "d3", "d2", "d1")
        )
        tasks.add(conn, [again])
    server.update(struck, [*DEER, chose("struck_0", "d3"), typed("group_comment_0", "late")])
    assert labels(workspace)["d3"] == "struck"
    with workspace.database.read() as conn:
        assert {found.kind for found in detections.get(conn, ["d3"]).values()} == {0}
        assert Verdict.STRUCK in {each.verdict for each in oracle.histories(conn, ["d3"])["d3"]}


@pytest.mark.both_databases
def test_boards_that_several_people_submit_at_once_are_all_recorded(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    payloads: list[Json] = []
    server.webhook = payloads.append
    for annotator in range(1, 7):
        server.submit(BOARD, [*DEER, chose("struck_0", f"d{1 + annotator % 4}")], by=annotator)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda payload: receive(workspace, payload, lambda _: None), payloads * 2))
    assert sum(answer["new"] for answer in answers) == row_count(workspace) == 24
    assert set(labels(workspace).values()) == {"deer"}
    assert answered_at(workspace, BOARD) == server.now


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.both_databases
def test_after_lost_repeated_and_reordered_webhooks_a_sync_makes_groups_equal(
    workspace: Workspace, server: FakeLabelStudio, synced: Any, seed: int
) -> None:
    chance = random.Random(seed)
    waiting: list[Json] = []
    said: dict[str, tuple[int, list[str], str]] = {}  # task, struck and species of the struck, by unique id

    def unreliable(payload: Json) -> None:
        if chance.random() < 0.4:
            return
        waiting.extend([payload] * chance.choice([1, 1, 2]))
        chance.shuffle(waiting)
        while waiting and chance.random() < 0.7:
            receive(workspace, waiting.pop(), lambda _: None)

    def answer(task: int) -> tuple[tuple[int, list[str], str], list[Json]]:
        crops = SHOWN[task][2]
        struck, named = chance.sample(crops, chance.randint(0, len(crops))), chance.choice(["fox", "struck"])
        result = [*DEER, chose("struck_0", *struck)]
        return (task, struck, named), [
            *result,
            chose("struck_species_0", "fox"),
        ] if named == "fox" else result

    server.webhook = unreliable
    for _ in range(40):
        active = [each for row in server.rows.values() for each in row["annotations"]]
        act = chance.choice(["answer", "answer", "update", "delete", "sync"])
        if act == "answer":
            means, result = answer(chance.choice([BOARD, SEQUENCE, SUGGESTION]))
            number = server.submit(means[0], result, by=chance.choice([1, 2, 3]))
            said[server.annotation(number)["unique_id"]] = means
        elif act == "update" and active:
            one = chance.choice(active)
            said[one["unique_id"]], result = answer(one["task"])
            server.update(one["id"], result)
        elif act == "delete" and active:
            del said[(one := chance.choice(active))["unique_id"]]
            server.delete(one["id"])
        elif act == "sync":
            synced()
    synced()
    expected = {
        (uid, crop): named if crop in struck else "deer"
        for uid, (task, struck, named) in said.items()
        for crop in SHOWN[task][2]
    }
    with workspace.database.read() as conn:
        names = categories.names(conn)
        stored = {
            (one.annotation_uid, one.detection_id): str(one.verdict)
            if one.label is None
            else names[one.label]
            for one in (state.annotation for state in oracle.active_annotations(conn, PROJECT))
        }
    assert stored == expected
    assert synced().new == 0
