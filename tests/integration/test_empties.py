"""Photographs that machines call empty: drawn, signed off by people, bounded, and exported."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from PIL import Image

from pipeline import jobs
from pipeline.cli import wildloop
from pipeline.errors import SourceError
from pipeline.exporters.source import Basis
from pipeline.records import DeploymentRecord, Purpose, Role, RunKind, SourceLabel, TaskKind
from pipeline.steps.datasets.export import StoreExport
from pipeline.steps.labelling import frames
from pipeline.steps.learning.empties import EmptiesJudgement, judge_empties
from pipeline.steps.operations.status import status
from pipeline.store import (
    candidates,
    categories,
    deployments,
    detections,
    empties,
    image_labels,
    images,
    labelled,
    oracle,
    schema,
)
from pipeline.store.database import Database
from pipeline.store.empties import Finding
from pipeline.workspace import Workspace
from tests.helpers.called_empty import PROJECT, SIGNED_OFF, Survey, box, drawn, survey
from tests.helpers.photographs import encoded, put, scene
from tests.helpers.results import chose

STRIKE = "struck_0"


pytestmark = pytest.mark.one_database  # rules; the marked tests run the SQL on both


@pytest.fixture
def made(database: Database, tmp_path: Path) -> Survey:
    return survey(database, tmp_path)


def numbered(first: int, last: int) -> list[str]:
    return [f"site/{number:03}.jpg" for number in range(first, last)]


def ask(made: Survey, count: int) -> frames.DrawnEmpties:
    """Draw, and ask."""
    report = frames.draw(made.workspace, count)
    frames.ask_due(made.workspace, made.server, PROJECT)
    return report


def judged(made: Survey) -> EmptiesJudgement:
    with made.workspace.database.read() as conn:
        judgement = judge_empties(conn)
    assert judgement is not None
    return judgement


def findings(made: Survey) -> dict[str, Finding]:
    """What people found, by file name."""
    with made.workspace.database.read() as conn:
        sample = empties.sample(conn)
        names = {
            id_: record.file_name for id_, record in images.get(conn, [s.image_id for s in sample]).items()
        }
    return {names[each.image_id]: each.finding for each in sample}


def called_empty(made: Survey) -> set[str]:
    query = sa.select(schema.image.c.file_name).where(empties.called_empty())
    with made.workspace.database.read() as conn:
        return set(conn.scalars(query))


def label(made: Survey, name: str, category: str | None, *, weak: bool, **details: str) -> None:
    """A source labels a photograph."""
    with made.workspace.database.write() as conn:
        [[stored]] = images.at_paths(conn, [str(made.root / name)]).values()
        given = SourceLabel(category=category, source="park", weak=weak, details=details or None)
        image_labels.add(conn, [(stored.record.id, given)], categories.numbers(conn))


@pytest.mark.both_databases
def test_only_what_machines_alone_call_empty_is_drawn(made: Survey) -> None:
    made.add("nothing.jpg", "machine says empty.jpg", "nobody classified.jpg")
    made.add("below the threshold.jpg", found=[box(confidence=0.1)])
    made.add("animal.jpg", found=[box()])
    made.add("people say empty.jpg", "machine says deer.jpg", "people cannot tell.jpg", "people say fox.jpg")
    put(made.root / "broken.jpg", b"no photograph")
    made.listed["broken.jpg"] = []
    made.reimport()
    label(made, "machine says empty.jpg", "empty", weak=True)
    label(made, "nobody classified.jpg", None, weak=False, observationType="unclassified")
    label(made, "people say empty.jpg", "empty", weak=False)
    label(made, "machine says deer.jpg", "deer", weak=True)
    label(made, "people cannot tell.jpg", None, weak=False)
    label(made, "people say fox.jpg", "fox", weak=False)
    expected = {"nothing.jpg", "machine says empty.jpg", "nobody classified.jpg", "below the threshold.jpg"}
    assert called_empty(made) == expected
    ask(made, 100)
    assert set(findings(made)) == expected


def test_a_photograph_that_nobody_looked_at_is_not_called_empty(made: Survey) -> None:
    made.add("nothing.jpg")
    with made.workspace.database.write() as conn:
        conn.execute(sa.update(schema.scan).values(detector="nobody@0badf00d"))
    assert called_empty(made) == set()
    with made.workspace.database.write() as conn:
        conn.execute(sa.update(schema.scan).values(detector="rows:nobody@0badf00d"))
    assert called_empty(made) == set()


def test_boards_show_twelve_whole_photographs_with_empty_suggested(made: Survey) -> None:
    made.add(*numbered(0, 30))
    report = ask(made, 20)
    assert (report.drawn, report.unreadable) == (20, ())
    boards = made.tasks(TaskKind.FRAMES)
    assert [len(board.detections) for board in boards] == [12, 8]
    assert all(board.purpose is Purpose.EMPTIES for board in boards)
    shown = made.server.data[boards[0].task_id]
    assert shown["kind"] == "frames"
    assert [each["value"] for each in shown["group"][0]["items"]] == list(boards[0].detections)
    with made.workspace.database.read() as conn:
        whole = detections.get(conn, boards[0].detections)
    with Image.open(made.workspace.data_dir / str(whole[boards[0].detections[0]].frame_path)) as frame:
        assert frame.size == (160, 120)  # the whole photograph, not enlarged


def test_asking_again_asks_nothing_twice(made: Survey) -> None:
    made.add(*numbered(0, 5))
    ask(made, 3)
    assert frames.ask_due(made.workspace, made.server, PROJECT) == []
    made.server.submit(made.tasks(TaskKind.FRAMES)[0].task_id, SIGNED_OFF)
    assert frames.ask_due(made.workspace, made.server, PROJECT) == []


def test_a_board_that_somebody_deleted_in_label_studio_is_asked_again(made: Survey) -> None:
    made.add(*numbered(0, 5))
    ask(made, 3)
    [board] = made.tasks(TaskKind.FRAMES)
    made.server.delete_task(board.task_id)
    [again] = frames.ask_due(made.workspace, made.server, PROJECT)
    assert set(again.detections) == set(board.detections)


def test_a_submitted_board_signs_its_photographs_off(made: Survey) -> None:
    made.add(*numbered(0, 40))
    ask(made, 12)
    [board] = made.tasks(TaskKind.FRAMES)
    assert judged(made).at_most is None
    made.server.submit(board.task_id, SIGNED_OFF)
    judgement = judged(made)
    assert (judgement.no_animal, judgement.animals, judgement.open) == (12, 0, 0)
    assert judgement.called_empty == 40
    assert judgement.at_most == 7  # exact: 8 of 40 are all missed by 12 draws with a probability below 0.05
    assert made.tasks(TaskKind.FRAMES) == []


@pytest.mark.both_databases
def test_what_is_struck_comes_back_alone_before_all_else(made: Survey) -> None:
    made.add(*numbered(0, 12))
    ask(made, 12)
    [board] = made.tasks(TaskKind.FRAMES)
    struck = board.detections[3]
    made.server.submit(board.task_id, [*SIGNED_OFF, chose(STRIKE, struck)])
    assert judged(made).animals == 1
    with made.workspace.database.read() as conn:
        assert frames.is_struck_due(conn, PROJECT)
    [alone] = frames.ask_due(made.workspace, made.server, PROJECT)
    assert (alone.kind, alone.purpose, alone.detections) == (TaskKind.FRAME, Purpose.EMPTIES, (struck,))
    assert made.server.data[alone.task_id]["photo"][0]["choices"][0]["value"] == "no animal"
    with made.workspace.database.read() as conn:
        assert not frames.is_struck_due(conn, PROJECT)
    assert frames.ask_due(made.workspace, made.server, PROJECT) == []
    made.server.submit(alone.task_id, [chose("photo_empty_0", "no animal")], by=2)
    assert judged(made).no_animal == 12
    assert frames.ask_due(made.workspace, made.server, PROJECT) == []


def test_the_run_that_a_strike_requests_asks_about_it(typed: Survey) -> None:
    typed.add(*numbered(0, 3))
    frames.draw(typed.workspace, 3)
    assert jobs.run_now(typed.workspace, PROJECT, RunKind.PUBLISH, trigger="command").error is None
    [board] = typed.tasks(TaskKind.FRAMES)
    typed.server.submit(board.task_id, [*SIGNED_OFF, chose(STRIKE, board.detections[0])])
    run = jobs.top_up_if_low(typed.workspace, PROJECT, trigger="labels")
    assert run is not None
    jobs.perform(typed.workspace, run)
    [alone] = typed.tasks(TaskKind.FRAME)
    assert alone.detections == board.detections[:1]
    assert jobs.top_up_if_low(typed.workspace, PROJECT, trigger="labels") is None


def test_a_missed_animal_gets_its_box(made: Survey) -> None:
    made.add(*numbered(0, 12))
    ask(made, 12)
    [board] = made.tasks(TaskKind.FRAMES)
    made.server.submit(board.task_id, [*SIGNED_OFF, chose(STRIKE, board.detections[0])])
    [alone] = frames.ask_due(made.workspace, made.server, PROJECT)
    made.server.submit(alone.task_id, [drawn(10, 20)])
    [name] = made.names(alone.detections)
    assert [each.detector for each in made.boxes(name)].count("label-studio") == 1
    assert findings(made)[name] is Finding.ANIMAL
    judgement = judged(made)
    assert (judgement.animals, judgement.called_empty) == (1, 12)  # detectors alone still call it empty
    assert judgement.at_most == 1  # all were looked at
    assert frames.ask_due(made.workspace, made.server, PROJECT) == []


def test_everything_struck_comes_back(made: Survey) -> None:
    made.add(*numbered(0, 12))
    ask(made, 12)
    [board] = made.tasks(TaskKind.FRAMES)
    made.server.submit(board.task_id, [chose("all_suggested_0", "empty"), chose(STRIKE, *board.detections)])
    again = frames.ask_due(made.workspace, made.server, PROJECT)
    assert {task.detections[0] for task in again} == set(board.detections)
    assert all(task.score is None or -4 <= task.score < -3 for task in again)
    assert judged(made).at_most == 12


def test_a_board_that_is_submitted_twice_counts_once_and_the_later_answer_holds(made: Survey) -> None:
    made.add(*numbered(0, 12))
    ask(made, 12)
    [board] = made.tasks(TaskKind.FRAMES)
    made.server.submit(board.task_id, [*SIGNED_OFF, chose(STRIKE, board.detections[0])])
    made.server.submit(board.task_id, SIGNED_OFF)
    assert judged(made).no_animal == 12
    assert judged(made).looked_at == 12


def test_a_board_that_is_updated_or_taken_back_changes_what_it_said(made: Survey) -> None:
    made.add(*numbered(0, 12))
    ask(made, 12)
    [board] = made.tasks(TaskKind.FRAMES)
    annotation = made.server.submit(board.task_id, SIGNED_OFF)
    made.server.update(annotation, [*SIGNED_OFF, chose(STRIKE, board.detections[5])])
    assert (judged(made).no_animal, judged(made).animals) == (11, 1)
    made.server.delete(annotation)
    judgement = judged(made)
    assert (judgement.open, judgement.looked_at, judgement.at_most) == (12, 0, None)


def test_skipped_and_unsure_photographs_count_as_if_they_showed_an_animal(made: Survey) -> None:
    made.add(*numbered(0, 36))
    ask(made, 36)
    first, second, third = made.tasks(TaskKind.FRAMES)
    made.server.submit(first.task_id, SIGNED_OFF)
    made.server.submit(second.task_id, [chose("all_0", "unsure")])
    made.server.submit(third.task_id, [], skip=True)
    judgement = judged(made)
    assert (judgement.no_animal, judgement.undecided) == (12, 24)
    assert judgement.at_most == 24


@pytest.mark.both_databases
def test_photographs_that_come_later_are_outside_until_the_sample_takes_its_share_of_them(
    made: Survey,
) -> None:
    made.add(*numbered(0, 60))
    ask(made, 30)
    for board in made.tasks(TaskKind.FRAMES):
        made.server.submit(board.task_id, SIGNED_OFF)
    before = judged(made)
    made.add(*numbered(60, 120))
    after = judged(made)
    assert (after.called_empty, after.later, after.at_most) == (60, 60, before.at_most)
    late = ask(made, 1).drawn  # more than one: as many as have a place before the end of the sample
    assert 15 <= late <= 45
    assert all(name >= "site/060" for name, found in findings(made).items() if found is Finding.OPEN)
    assert (judged(made).called_empty, judged(made).later) == (120, 0)


def test_the_sample_is_random_whatever_the_order_of_names_and_imports(made: Survey) -> None:
    made.add(*numbered(0, 200))
    frames.draw(made.workspace, 100)
    chosen = [int(name[5:8]) for name in findings(made)]
    assert len(chosen) == 100
    assert abs(sum(chosen) / 100 - 99.5) < 15  # three standard deviations of such a mean are 12
    frames.draw(made.workspace, 1_000)
    assert len(findings(made)) == 200


def test_a_photograph_that_cannot_be_read_any_more_is_told_and_tried_again(made: Survey) -> None:
    made.add(*numbered(0, 6))
    data = (made.root / "site/002.jpg").read_bytes()
    (made.root / "site/002.jpg").unlink()
    put(made.root / "site/004.jpg", encoded(scene(seed=99)))
    report = ask(made, 6)
    assert report.drawn == 4
    assert {(each.file_name, each.failure) for each in report.unreadable} == {
        ("site/002.jpg", "missing"),
        ("site/004.jpg", "changed"),
    }
    assert judged(made).unreadable == 2
    assert [len(board.detections) for board in made.tasks(TaskKind.FRAMES)] == [4]
    put(made.root / "site/002.jpg", data)
    assert ask(made, 1).drawn == 1
    assert judged(made).unreadable == 1
    assert sorted(len(board.detections) for board in made.tasks(TaskKind.FRAMES)) == [1, 4]


def test_if_no_photograph_can_be_read_nothing_is_drawn(made: Survey) -> None:
    made.add(*numbered(0, 3))
    for name in numbered(0, 3):
        (made.root / name).unlink()
    with pytest.raises(SourceError, match=r"none of 2 photographs can be read.*missing"):
        frames.draw(made.workspace, 2)
    with made.workspace.database.read() as conn:
        assert judge_empties(conn) is None


def test_without_empty_photographs_nothing_is_drawn(made: Survey) -> None:
    made.add("animal.jpg", found=[box()])
    assert ask(made, 5).drawn == 0
    assert made.server.data == {}


@pytest.mark.both_databases
def test_a_signed_off_photograph_is_no_crop_and_no_label(made: Survey) -> None:
    made.add(*numbered(0, 12))
    ask(made, 12)
    made.server.submit(made.tasks(TaskKind.FRAMES)[0].task_id, SIGNED_OFF)
    with made.workspace.database.read() as conn:
        assert candidates.count(conn) == candidates.waiting_count(conn) == 0
        assert oracle.label_count(conn) == 0
        assert list(labelled.crops_by_image(conn, list(Role))) == []
    told = status(made.workspace)
    assert (told.detections, told.crops, told.uncut) == (0, 0, 0)
    assert told.empties == judged(made)


def test_a_photograph_that_another_detector_finds_an_animal_on_leaves_the_sample(made: Survey) -> None:
    made.add(*numbered(0, 12))
    ask(made, 12)
    made.server.submit(made.tasks(TaskKind.FRAMES)[0].task_id, SIGNED_OFF)
    made.listed["site/005.jpg"] = [box()]
    made.reimport()
    judgement = judged(made)
    assert (judgement.called_empty, judgement.drawn, judgement.no_animal) == (11, 11, 11)


def test_importing_labels_again_votes_for_no_photograph_as_a_whole(made: Survey) -> None:
    made.add(*numbered(0, 3))
    ask(made, 3)
    label(made, "site/001.jpg", "empty", weak=True)
    made.reimport()
    query = sa.select(sa.func.count()).select_from(schema.oracle)
    with made.workspace.database.read() as conn:
        assert conn.execute(query).scalar_one() == 0


# --- exports


def answers(made: Survey) -> dict[str, tuple[Basis, str | None] | None]:
    """What an export says of each photograph as a whole."""
    source = StoreExport(made.workspace, None)
    return {
        each.image.file_name: None if each.whole is None else (each.whole.basis, each.whole.category)
        for each in source.photographs()
    }


@pytest.mark.both_databases
def test_exports_say_who_called_a_photograph_empty(made: Survey) -> None:
    made.add(*numbered(0, 5))
    label(made, "site/002.jpg", "empty", weak=True)
    ask(made, 4)
    [board] = made.tasks(TaskKind.FRAMES)
    struck, signed = board.detections[0], made.names(board.detections[1:])
    made.server.submit(board.task_id, [*SIGNED_OFF, chose(STRIKE, struck)])
    [struck_name] = made.names([struck])
    [left] = set(numbered(0, 5)) - set(signed) - {struck_name}
    told = answers(made)
    assert {told[name] for name in signed} == {(Basis.PEOPLE, "empty")}
    assert told[struck_name] == (Basis.NONE, None)
    assert told[left] is None
    assert all(not each.detections for each in StoreExport(made.workspace, None).photographs())


def exported(made: Survey, *words: str) -> Path:
    out = made.root.parent / "out"
    result = CliRunner().invoke(wildloop, ["export", words[0], str(out), *words[1:]], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture
def typed(made: Survey, monkeypatch: pytest.MonkeyPatch) -> Survey:
    """The same, for commands."""
    settings = made.workspace.settings
    monkeypatch.setattr(Workspace, "label_studio", lambda _: made.server)
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    monkeypatch.delenv("REDIS_URL", raising=False)
    return made


@pytest.fixture
def three(typed: Survey) -> dict[str, str]:
    """The names of a photograph that was signed off, of one that was struck out, and of one with a box."""
    typed.add(*numbered(0, 4))
    ask(typed, 3)
    [board] = typed.tasks(TaskKind.FRAMES)
    _, struck, boxed = board.detections
    typed.server.submit(board.task_id, [*SIGNED_OFF, chose(STRIKE, struck, boxed)], by=7)
    for alone in frames.ask_due(typed.workspace, typed.server, PROJECT):
        if alone.detections == (boxed,):
            typed.server.submit(alone.task_id, [drawn(10, 20)], by=7)
    names = dict(zip(("signed", "struck", "boxed"), typed.names(board.detections), strict=True))
    [machine] = set(numbered(0, 4)) - set(names.values())
    return {**names, "machine": machine}


def test_the_labels_table_names_the_person(typed: Survey, three: dict[str, str]) -> None:
    with exported(typed, "csv").open(encoding="utf-8") as file:
        rows = {row["file_name"]: row for row in csv.DictReader(file)}
    assert len(rows) == 4
    told = {what: (rows[name]["basis"], rows[name]["category"]) for what, name in three.items()}
    assert told == {
        "signed": ("people", "empty"),
        "struck": ("none", ""),
        "boxed": ("none", ""),
        "machine": ("detector", "empty"),
    }
    assert rows[three["signed"]]["by"] == "7"
    assert rows[three["boxed"]]["detector"] == "label-studio"
    assert float(rows[three["boxed"]]["bbox_y1"]) == 0.2
    assert rows[three["signed"]]["detection_id"] == ""


def test_camtrap_dp_has_a_blank_by_a_person_and_the_box_of_a_missed_animal(
    typed: Survey, three: dict[str, str]
) -> None:
    with typed.workspace.database.write() as conn:
        noon = dt.datetime(2024, 5, 1, 12)
        conn.execute(sa.update(schema.image).values(datetime=noon))
        place = DeploymentRecord(id="site", location="site", latitude=1.0, longitude=2.0, timezone="UTC")
        deployments.add(conn, [place])
    design = ("--sampling-design", "opportunistic", "--capture-method", "activityDetection")
    out = exported(typed, "camtrap-dp", *design)
    with (out / "media.csv").open(encoding="utf-8") as file:
        media = {row["mediaID"]: row["filePath"] for row in csv.DictReader(file)}
    with (out / "observations.csv").open(encoding="utf-8") as file:
        rows = {media[row["mediaID"]]: row for row in csv.DictReader(file) if row["mediaID"]}
    said = {
        what: (rows[name]["observationType"], rows[name]["classificationMethod"])
        for what, name in three.items()
    }
    assert said["signed"] == ("blank", "human")
    assert rows[three["signed"]]["classifiedBy"] == "7"
    assert rows[three["signed"]]["bboxX"] == ""
    assert said["struck"] == ("unclassified", "")
    assert said["boxed"] == ("unclassified", "")
    assert rows[three["boxed"]]["bboxWidth"] == "0.3"
    assert said["machine"] == ("blank", "machine")


def test_coco_megadetector_and_timelapse_tell_blank_from_what_waits(
    typed: Survey, three: dict[str, str]
) -> None:
    coco = json.loads(exported(typed, "coco").read_text())
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    by_name = {names[annotation["image_id"]]: annotation for annotation in coco["annotations"]}
    assert by_name[three["signed"]]["category_id"] == 0
    assert "basis" not in by_name[three["signed"]]
    assert by_name[three["machine"]]["basis"] == "weak"
    assert three["struck"] not in by_name
    assert "bbox" in by_name[three["boxed"]]
    (typed.root.parent / "out").unlink()
    results = json.loads(exported(typed, "megadetector").read_text())
    found = {image["file"]: image for image in results["images"]}
    assert results["info"]["detector"] == "md"
    assert found[three["signed"]]["detections"] == []
    assert found[three["struck"]]["failure"]
    assert len(found[three["boxed"]]["detections"]) == 1
    (typed.root.parent / "out").unlink()
    with exported(typed, "timelapse").open(encoding="utf-8") as file:
        rows = {f"{row['RelativePath']}/{row['File']}": row for row in csv.DictReader(file)}
    told = {what: (rows[name]["Species"], rows[name]["ClassificationMethod"]) for what, name in three.items()}
    assert told["signed"] == ("blank", "human")
    assert told["machine"] == ("blank", "machine")
    assert told["struck"] == told["boxed"] == ("", "")


# --- commands


def say(*words: str) -> str:
    result = CliRunner().invoke(wildloop, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_limit_as_somebody_reads_it(typed: Survey) -> None:
    typed.add(*numbered(0, 40))
    typed.workspace.database.dispose()
    told = say("audit", "--empties", "24")
    assert "24 photographs drawn of those in which the detector saw nothing" in told
    assert "2 tasks with them in Label Studio" in told
    assert "nothing can be said of 40 before people have looked at some" in told
    first, _ = typed.tasks(TaskKind.FRAMES)
    typed.server.submit(first.task_id, [*SIGNED_OFF, chose(STRIKE, first.detections[0])])
    told = say("audit")
    assert "at most 30.0% of 40 show an animal (95% confidence)" in told
    assert "11 of 12 photographs looked at show no animal, 1 show one, 0 are undecided" in told
    assert "12 drawn photographs wait for people" in told
    assert "called empty: at most 30.0% of 40 show an animal" in say("status")
    figures = json.loads(say("audit", "--json"))["empties"]
    assert (figures["at_most"], figures["called_empty"], figures["share"]) == (12, 40, 0.3)
    assert json.loads(say("status", "--json"))["empties"]["at_most"] == 12
    typed.add(*numbered(40, 50))
    assert "10 photographs came since and are not part of this" in say("audit")


def test_before_a_sample_is_drawn_nothing_is_said_of_empty_photographs(typed: Survey) -> None:
    typed.add(*numbered(0, 3))
    assert "empty" not in say("audit")
    assert "called empty" not in say("status")
    assert json.loads(say("audit", "--json")) is None
    assert json.loads(say("status", "--json"))["empties"] is None
