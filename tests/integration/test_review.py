"""Labels that are expected to be wrong: listed, put before people again, and settled by their votes."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from backend.predictions import Predictor
from backend.webhook import receive
from pipeline.cli import wildloop
from pipeline.errors import StoreError
from pipeline.label_errors import LISTED_FROM
from pipeline.records import AnnotationRecord, ModelRecord, Verdict, utc_now
from pipeline.steps.labelling.look_again import look_again
from pipeline.steps.labelling.review import ReviewRequest, Suspect, request_reviews, review
from pipeline.steps.labelling.stock import top_up
from pipeline.steps.labelling.sync import sync
from pipeline.store import audits, categories, models, oracle, projects, reviews, tasks
from pipeline.store.database import Database
from pipeline.store.schema import detection as detection_table
from pipeline.workspace import Workspace
from tests.helpers import labelled_workspace
from tests.helpers.annotations import record
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import PROJECT, SPECIES, detection, make_workspace, species
from tests.helpers.results import chose

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

CROPS = 240
WRONG = (4, 13, 27, 47, 62, 71)  # crops that annotator "1" called by another species, each by two


class Server(FakeLabelStudio):
    """A Label Studio that has the crops of the workspace, and in which people annotate."""

    def __init__(self, crops: Iterable[int]) -> None:
        super().__init__(PROJECT, {one + 1: detection(one) for one in crops}, species=SPECIES)
        self._numbers = itertools.count(1001)

    def reviews(self) -> list[int]:
        return [number for number, data in self.data.items() if data.get("purpose") == "review"]

    def vote(self, task: int, choice: str | None, *, by: int) -> None:
        """An annotation that no webhook tells of; None skips."""
        self.annotate(task, choice, by=by, skip=choice is None)


@pytest.fixture
def workspace(database: Database, tmp_path: Path) -> Workspace:
    """Crops with a label each, six of them wrong."""
    labelled_workspace.populate(database, CROPS)
    with database.write() as conn:
        conn.execute(sa.update(detection_table).values(crop_path="crops/a.jpg"))
        before = labelled_workspace.START - dt.timedelta(days=1)
        # The first labels are synced.
        projects.move_watermark(conn, PROJECT, former=None, new=before, synced_at=before)
    labelled_workspace.label(database, [one for one in range(CROPS) if one not in WRONG])
    made = labelled_workspace.make_workspace(database, tmp_path)
    for one in WRONG:
        say(made, one, wrong(one), at=labelled_workspace.START + dt.timedelta(seconds=one))
    return made


@pytest.fixture(autouse=True)
def few_come_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four labels of one species make a board: of the wrong ones, none do."""
    monkeypatch.setattr("pipeline.steps.labelling.review.FEWEST", 4)


@pytest.fixture
def server() -> Server:
    return Server(range(CROPS))


def wrong(number: int) -> str:
    return SPECIES[(SPECIES.index(species(number)) + 1) % len(SPECIES)]


def say(workspace: Workspace, number: int, choice: str, *, at: dt.datetime, **more: Any) -> None:
    """Annotator "1" speaks of a crop on its first task."""
    with workspace.database.read() as conn:
        label = {name: key for key, name in categories.names(conn).items()}[choice]
    fields: dict[str, Any] = {
        "annotation_uid": f"uid {number}",
        "annotation_id": number + 1,
        "task_id": number + 1,
        "annotator": "1",
    }
    record(
        workspace.database,
        [
            AnnotationRecord(
                project_id=PROJECT,
                detection_id=detection(number),
                verdict=Verdict.LABEL,
                label=label,
                annotated_at=at,
                **(fields | more),
            )
        ],
    )


def activate(workspace: Workspace, version: str) -> None:
    """A version whose queue is empty: everything is labelled."""
    record = ModelRecord(
        version=version,
        project_id=PROJECT,
        embedder="made-up",
        digest=version,
        labels=5,
        path=None,
        created_at=utc_now(),
    )
    with workspace.database.write() as conn:
        models.activate(conn, record, [])


def listed(workspace: Workspace) -> tuple[Suspect, ...]:
    return review(workspace, PROJECT).suspects


def asked(workspace: Workspace, server: Server, limit: int = 50) -> ReviewRequest:
    return request_reviews(workspace, server, PROJECT, listed(workspace), limit=limit)


def pushed(workspace: Workspace, server: Server) -> None:
    top_up(workspace, server, PROJECT)


def synced(workspace: Workspace, server: Server) -> None:
    sync(workspace, server, PROJECT)


def review_task(server: Server, number: int) -> int:
    [task] = [one for one in server.reviews() if detection(number) in server.data[one]["detections"]]
    return task


def label_of(workspace: Workspace, number: int) -> str | None:
    with workspace.database.read() as conn:
        label = oracle.labels(conn).get(detection(number))
        return None if label is None else categories.names(conn)[label]


def waiting(workspace: Workspace) -> list[str]:
    with workspace.database.read() as conn:
        return [crop for one in reviews.unanswered(conn, PROJECT) for crop in one.detections]


@pytest.fixture
def out(workspace: Workspace, server: Server) -> Server:
    """The wrong labels are before people again, and version v1 has a queue."""
    activate(workspace, "v1")
    pushed(workspace, server)
    asked(workspace, server)
    pushed(workspace, server)
    return server


@pytest.mark.both_databases
def test_wrong_labels_are_listed_with_what_the_head_says(workspace: Workspace) -> None:
    report = review(workspace, PROJECT)
    assert (report.labels, report.waiting) == (CROPS, 0)
    found = {one.detection_id: one for one in report.suspects}
    true = [one for one in WRONG if detection(one) in found]
    assert 4 in true
    assert len(true) >= 4
    assert len(found) <= len(true) + 1
    for number in true:
        one = found[detection(number)]
        assert (one.label_name, one.predicted, one.labelled_by) == (wrong(number), species(number), ("1",))
        assert (one.task_id, one.file_name) == (number + 1, f"{number}.jpg")
        assert LISTED_FROM <= one.wrong <= 1
        assert 0.5 < one.probability <= 1
    ranked = [one.wrong for one in report.suspects]
    assert ranked == sorted(ranked, reverse=True)
    assert report.expected == pytest.approx(sum(ranked))


def test_a_label_of_a_source_is_listed_under_its_name(workspace: Workspace) -> None:
    nobody = {"annotation_uid": "s", "annotation_id": None, "task_id": None, "annotator": None}
    say(workspace, 4, wrong(4), at=utc_now(), source="coco:x", **nobody)
    receive(workspace, _payload("ANNOTATIONS_DELETED", annotations=[{"id": 5}]), lambda _: None)
    [one] = [one for one in listed(workspace) if one.detection_id == detection(4)]
    assert (one.labelled_by, one.label_name) == (("coco:x",), wrong(4))


def test_labels_marked_as_ground_truth_are_not_listed(workspace: Workspace) -> None:
    say(workspace, 4, wrong(4), at=utc_now(), ground_truth=True)
    assert detection(4) not in {one.detection_id for one in listed(workspace)}


def test_without_labels_or_with_one_species_nothing_is_listed(database: Database, tmp_path: Path) -> None:
    labelled_workspace.populate(database, 12)
    made = labelled_workspace.make_workspace(database, tmp_path)
    assert review(make_workspace(database, tmp_path), PROJECT).labels == 0
    labelled_workspace.label(database, [0, 1, 2])
    report = review(make_workspace(database, tmp_path), PROJECT)
    assert (report.labels, report.suspects) == (3, ())
    assert waiting(made) == []


@pytest.mark.both_databases
def test_suspects_get_a_further_task_first_in_the_queue_without_an_answer(
    workspace: Workspace, out: Server
) -> None:
    count = len(waiting(workspace))
    assert count >= 4
    assert len(out.reviews()) == count
    queue = out.queue()
    assert [one for one, _ in queue] == waiting(workspace)
    assert all(-2 <= score < -1 for _, score in queue)
    first = [one for one in out.predictions if one["task"] in out.reviews()]
    assert [one["result"] for one in first] == [[]] * count
    data = out.data[review_task(out, 4)]
    assert (data["kind"], data["detections"], data["species"]) == ("single", [detection(4)], "")


def test_rerunning_changes_nothing(workspace: Workspace, out: Server) -> None:
    data, predictions, open_reviews = dict(out.data), list(out.predictions), waiting(workspace)
    assert listed(workspace) == ()
    report = asked(workspace, out)
    assert (report.created, report.tasks, report.waiting) == (0, 0, len(open_reviews))
    assert (out.data, out.predictions, waiting(workspace)) == (data, predictions, open_reviews)
    pushed(workspace, out)
    assert out.predictions == predictions


def test_at_most_the_limit_waits_and_the_worst_go_first(workspace: Workspace, server: Server) -> None:
    activate(workspace, "v1")
    worst = listed(workspace)[:2]
    assert asked(workspace, server, 2).created == 2
    assert waiting(workspace) == [one.detection_id for one in worst]
    assert asked(workspace, server, 2).created == 0
    server.vote(server.reviews()[0], worst[0].label_name, by=1)
    synced(workspace, server)
    assert asked(workspace, server, 2).created == 1


def test_a_second_vote_of_the_same_annotator_changes_their_label(workspace: Workspace, out: Server) -> None:
    out.vote(review_task(out, 4), species(4), by=1)
    synced(workspace, out)
    assert label_of(workspace, 4) == species(4)
    assert detection(4) not in waiting(workspace)
    assert detection(4) not in {one.detection_id for one in listed(workspace)}


@pytest.mark.both_databases
def test_a_vote_told_by_webhook_counts_as_well(workspace: Workspace, out: Server) -> None:
    task = review_task(out, 4)
    annotation = {
        "id": 900,
        "unique_id": str(uuid.uuid4()),
        "task": task,
        "result": FakeLabelStudio.result(species(4)),
        "was_cancelled": False,
        "ground_truth": False,
        "completed_by": 1,
        "created_at": "2024-06-01T00:00:00Z",
        "updated_at": "2024-06-01T00:00:00Z",
    }
    told = {"id": task, "data": out.data[task]}
    payload = _payload("ANNOTATION_CREATED", annotation=annotation, task=told)
    assert receive(workspace, payload, lambda _: None)["new"] == 1
    assert label_of(workspace, 4) == species(4)
    assert detection(4) not in waiting(workspace)
    deletion = _payload("ANNOTATIONS_DELETED", annotations=[{"id": 900}])
    receive(workspace, deletion, lambda _: None)
    assert label_of(workspace, 4) == wrong(4)
    assert detection(4) in waiting(workspace)


def test_another_annotator_who_disagrees_makes_it_disputed(workspace: Workspace, out: Server) -> None:
    out.vote(review_task(out, 4), species(4), by=2)
    synced(workspace, out)
    assert label_of(workspace, 4) is None
    with workspace.database.read() as conn:
        assert oracle.disputed_ids(conn, PROJECT) == {detection(4)}
    assert detection(4) not in waiting(workspace)


@pytest.mark.parametrize("annotator", [1, 2])
def test_a_confirmed_label_is_not_listed_again(workspace: Workspace, out: Server, annotator: int) -> None:
    out.vote(review_task(out, 4), wrong(4), by=annotator)
    synced(workspace, out)
    assert label_of(workspace, 4) == wrong(4)
    assert detection(4) not in waiting(workspace)
    assert detection(4) not in {one.detection_id for one in listed(workspace)}
    assert asked(workspace, out).created == 0


def test_a_skip_answers_nothing(workspace: Workspace, out: Server) -> None:
    out.vote(review_task(out, 4), None, by=1)
    synced(workspace, out)
    assert label_of(workspace, 4) == wrong(4)
    assert detection(4) in waiting(workspace)


def test_a_label_that_changed_elsewhere_may_be_asked_about_anew(workspace: Workspace, out: Server) -> None:
    third = ({*SPECIES} - {wrong(4), species(4)}).pop()
    say(workspace, 4, third, at=utc_now())
    assert detection(4) not in waiting(workspace)
    [one] = [one for one in listed(workspace) if one.detection_id == detection(4)]
    assert (one.label_name, one.predicted) == (third, species(4))
    assert asked(workspace, out).created >= 1
    assert detection(4) in waiting(workspace)


@pytest.mark.usefixtures("out")
def test_reviews_stay_open_when_a_species_is_renamed(workspace: Workspace) -> None:
    before = waiting(workspace)
    assert before
    with workspace.database.write() as conn:
        numbers = categories.numbers(conn)
        for name in SPECIES:
            merged = categories.merge(conn, [name], f"great {name}")
            oracle.update_labels(conn, oracle.labelled_as(conn, merged))
        assert not {label for _, label in reviews.requested_labels(conn, PROJECT)} & {*numbers.values()}
    assert waiting(workspace) == before


def test_a_new_version_brings_the_open_reviews_along(workspace: Workspace, out: Server) -> None:
    out.vote(review_task(out, 4), species(4), by=1)
    synced(workspace, out)
    activate(workspace, "v2")
    pushed(workspace, out)
    names = [one for one, _ in out.queue()]
    assert names == waiting(workspace)
    assert names
    assert detection(4) not in names
    pushed(workspace, out)
    assert [one for one, _ in out.queue()] == names


@pytest.mark.both_databases
def test_a_kill_between_label_studios_import_and_our_note_asks_again_and_loses_nothing(
    workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(workspace, "v1")
    pushed(workspace, server)
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            asked(workspace, server)
    lost = server.reviews()
    assert lost
    assert asked(workspace, server).created == len(lost)
    pushed(workspace, server)  # finds the tasks of the interrupted request, which do not know their label
    assert all(server.rows[number]["is_labeled"] for number in lost)
    assert waiting(workspace) == [one for one, _ in server.queue()]


def test_before_the_first_version_nothing_is_put_before_people(workspace: Workspace, server: Server) -> None:
    with pytest.raises(StoreError, match="no model version yet"):
        asked(workspace, server)
    assert server.reviews() == []


def test_the_backend_answers_a_review_task_with_nothing_chosen(workspace: Workspace, out: Server) -> None:
    task = review_task(out, 4)
    asked_for = {"id": task, "project": PROJECT, "data": out.data[task]}
    [answer] = Predictor(workspace).predict([asked_for])
    assert (answer["result"], answer["model_version"]) == ([], "v1")
    assert -2 <= answer["score"] < -1


def test_the_command_lists_pushes_and_hints(
    workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.cli.review.opened", lambda: workspace)
    monkeypatch.setattr(Workspace, "label_studio", lambda _: server)
    activate(workspace, "v1")

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(wildloop, ["review", *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    said = run("--limit", "2")
    count = len(listed(workspace))
    assert f"{count} of {CROPS} labels listed; about " in said
    assert "are expected to be wrong" in said
    assert len([line for line in said.splitlines() if ".jpg" in line]) == 2
    assert f"{count - 2} more: see --limit" in said
    assert "wildloop review --push" in said
    assert server.reviews() == []
    assert f"{count} labels put before people again, in {count} tasks; {count} waiting now" in run("--push")
    said = run()
    assert f"None of {CROPS} labels is expected to be wrong" in said
    assert f"{count} labels already in review" in said


def _payload(action: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "project": {"id": PROJECT}, **more}


def test_a_review_task_deleted_in_label_studio_takes_its_vote_along(
    workspace: Workspace, out: Server
) -> None:
    task = review_task(out, 4)
    out.vote(task, species(4), by=1)
    synced(workspace, out)
    del out.rows[task]  # and the webhook that tells of it is lost
    report = sync(workspace, out, PROJECT)
    assert (report.tasks_deleted, report.new) == (1, 1)
    assert label_of(workspace, 4) == wrong(4)
    assert detection(4) in {one.detection_id for one in listed(workspace)}


# --- boards


ALIKE = (1, 7, 20, 40, 55)  # crops of one label, made up for a board


def alike(workspace: Workspace, label: str) -> list[Suspect]:
    """Five suspects of one label; what the head says of them does not matter here."""
    with workspace.database.read() as conn:
        number = categories.numbers(conn)[label]
    for one in ALIKE:
        say(workspace, one, label, at=labelled_workspace.START + dt.timedelta(days=1, seconds=one))
    return [
        Suspect(
            detection_id=detection(one),
            file_name=f"{one}.jpg",
            task_id=one + 1,
            label=number,
            label_name=label,
            labelled_by=("1",),
            wrong=0.9 - one / 1000,
            predicted="other",
            probability=0.9,
        )
        for one in ALIKE
    ]


def board(workspace: Workspace, server: Server, label: str = SPECIES[0]) -> int:
    """The task that asks about all of `alike` at once."""
    activate(workspace, "v1")
    pushed(workspace, server)
    request_reviews(workspace, server, PROJECT, alike(workspace, label), limit=50)
    pushed(workspace, server)
    server.now = labelled_workspace.START + dt.timedelta(days=2)
    [number] = server.reviews()
    return number


def submit(workspace: Workspace, server: Server, task: int, *struck: int, by: int = 2) -> None:
    """Everything is as it was called, but for what is struck."""
    result = [chose("all_suggested_0", SPECIES[0])]
    if struck:
        result.append(chose("struck_0", *(detection(one) for one in struck)))
    server.submit(task, result, by=by)
    synced(workspace, server)


@pytest.mark.both_databases
def test_labels_of_one_species_come_as_a_board_that_calls_them_that(
    workspace: Workspace, server: Server
) -> None:
    task = board(workspace, server)
    data = server.data[task]
    assert (data["kind"], data["species"]) == ("board", SPECIES[0])
    assert data["detections"] == [detection(one) for one in ALIKE]
    assert f"These were called {SPECIES[0]}: strike out what is not" in data["head"]


def test_kept_labels_of_a_board_are_settled_and_struck_ones_come_back_alone(
    workspace: Workspace, server: Server
) -> None:
    submit(workspace, server, board(workspace, server), 20)
    assert waiting(workspace) == []
    assert label_of(workspace, 20) == SPECIES[0]  # until somebody says otherwise, looking at it alone
    assert look_again(workspace, server, PROJECT) == 1
    assert look_again(workspace, server, PROJECT) == 0
    pushed(workspace, server)
    [alone] = [one for one in server.reviews() if server.data[one]["kind"] == "single"]
    assert (server.data[alone]["detections"], server.data[alone]["species"]) == ([detection(20)], "")
    assert server.queue()[0][0] == detection(20)
    server.vote(alone, SPECIES[1], by=1)
    synced(workspace, server)
    assert label_of(workspace, 20) == SPECIES[1]
    with workspace.database.read() as conn:
        requested = {crop for crop, _ in reviews.requested_labels(conn, PROJECT)}
    assert requested == {detection(one) for one in ALIKE}  # so no label of the board is listed again


def test_a_label_that_changed_before_the_board_was_answered_is_not_asked_about_alone(
    workspace: Workspace, server: Server
) -> None:
    task = board(workspace, server)
    say(workspace, 20, SPECIES[2], at=utc_now())
    submit(workspace, server, task, 20)
    assert look_again(workspace, server, PROJECT) == 0


def test_a_board_counts_each_of_its_labels_towards_the_limit(workspace: Workspace, server: Server) -> None:
    activate(workspace, "v1")
    suspects = alike(workspace, SPECIES[0])
    report = request_reviews(workspace, server, PROJECT, suspects, limit=4)
    assert (report.created, report.tasks, report.waiting) == (4, 1, 4)
    again = request_reviews(workspace, server, PROJECT, suspects[4:], limit=4)
    assert (again.created, again.waiting) == (0, 4)


def test_crops_of_the_audit_are_reviewed_alone(workspace: Workspace, server: Server) -> None:
    with workspace.database.write() as conn:
        audits.draw(conn, PROJECT, [detection(one) for one in range(CROPS)], CROPS)
    activate(workspace, "v1")
    request_reviews(workspace, server, PROJECT, alike(workspace, SPECIES[0]), limit=50)
    assert {server.data[one]["kind"] for one in server.reviews()} == {"single"}
    assert len(server.reviews()) == len(ALIKE)
