"""Second opinions, disputed crops, experts, and how far annotators agree."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.cli import wildloop
from pipeline.errors import LabelStudioError
from pipeline.records import AnnotationRecord, ModelRecord, Purpose, TaskRecord, Verdict, Way, utc_now
from pipeline.steps.labelling.agreement import AgreementReport, agreement
from pipeline.steps.labelling.look_again import look_again
from pipeline.steps.labelling.parking import delete_parked
from pipeline.steps.labelling.stock import top_up
from pipeline.steps.labelling.sync import sync
from pipeline.store import categories, models, oracle, tasks
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.annotations import record
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import PROJECT, SPECIES, detection, make_workspace, populate, species
from tests.helpers.results import chose

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

CROPS = 12


@pytest.fixture
def server() -> FakeLabelStudio:
    empty = FakeLabelStudio(PROJECT, species=SPECIES)
    empty.now = utc_now() - dt.timedelta(days=1)
    return empty


@pytest.fixture
def workspace(database: Database, tmp_path: Path, server: FakeLabelStudio) -> Workspace:
    """Twelve crops in a project that asks about all of them twice; annotator 1 has named six, 2 has one."""
    populate(database, CROPS, asked=False, options={"opinions": 1.0}, sequence=1)
    made = make_workspace(database, tmp_path / "data")
    activate(database)
    top_up(made, server, PROJECT)
    for one in range(6):
        answer(made, server, task_of(server, one), species(one), by=1)
    answer(made, server, task_of(server, 6), species(6), by=2)
    return made


def activate(database: Database) -> None:
    """A version with an empty queue."""
    version = ModelRecord(
        version="v1",
        project_id=PROJECT,
        embedder="made-up",
        digest="v1",
        labels=0,
        path=None,
        created_at=utc_now(),
    )
    with database.write() as conn:
        models.activate(conn, version, [])


def task_of(server: FakeLabelStudio, number: int, purpose: Purpose = Purpose.QUEUE) -> int:
    """The newest task that asks about this crop for this purpose."""
    return max(
        task
        for task, data in server.data.items()
        if data["detections"] == [detection(number)] and data["purpose"] == purpose
    )


def asked(server: FakeLabelStudio, purpose: Purpose) -> list[str]:
    """The crops that tasks of this purpose ask about, among those in the label stream."""
    return sorted(
        str(data["detections"][0])
        for task, data in server.data.items()
        if data["purpose"] == purpose and not server.rows[task]["is_labeled"]
    )


def answer(
    workspace: Workspace,
    server: FakeLabelStudio,
    task: int,
    choice: str,
    *,
    by: int,
    expert: bool = False,
    truth: bool = False,
) -> None:
    result = [chose("species_0", choice)] + ([chose("flags_0", "expert")] if expert else [])
    server.submit(task, result, by=by, truth=truth)
    sync(workspace, server, PROJECT)


def label_of(workspace: Workspace, number: int) -> str | None:
    with workspace.database.read() as conn:
        label = oracle.labels(conn).get(detection(number))
        return None if label is None else categories.names(conn)[label]


def other(number: int) -> str:
    return SPECIES[(SPECIES.index(species(number)) + 1) % len(SPECIES)]


def opinions(workspace: Workspace) -> list[TaskRecord]:
    with workspace.database.read() as conn:
        return [each for each in tasks.open_tasks(conn, PROJECT) if each.purpose is Purpose.OPINION]


# --- second opinions


@pytest.mark.both_databases
def test_what_one_annotator_named_is_asked_of_the_other_alone(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    assert look_again(workspace, server, PROJECT) == 7
    assert look_again(workspace, server, PROJECT) == 0
    assert asked(server, Purpose.OPINION) == [detection(one) for one in range(7)]
    by_crop = {each.detections[0]: each.kept_from for each in opinions(workspace)}
    assert by_crop == {**{detection(one): "1" for one in range(6)}, detection(6): "2"}
    task = task_of(server, 3, Purpose.OPINION)
    for row in server.rows.values():  # nothing else is left to ask
        row["is_labeled"] = row["id"] != task
    assert server.next_task(by=1) is None
    assert server.next_task(by=2) == task
    shown = server.data[task]
    assert (shown["kind"], shown["species"]) == ("single", "")
    assert [each["result"] for each in server.predictions if each["task"] == task] == [[]]


def test_the_mark_that_keeps_a_task_from_its_annotator_is_no_answer(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    look_again(workspace, server, PROJECT)
    for number in server.rows:
        server.touch(number)
    assert sync(workspace, server, PROJECT).new == 0
    with workspace.database.read() as conn:
        entries = oracle.histories(conn, [detection(3)])[detection(3)]
    assert [(entry.annotator, entry.verdict) for entry in entries] == [("1", Verdict.LABEL)]
    assert len(opinions(workspace)) == 7


def test_agreeing_opinions_settle_a_label_and_others_dispute_it(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    look_again(workspace, server, PROJECT)
    answer(workspace, server, task_of(server, 0, Purpose.OPINION), species(0), by=2)
    answer(workspace, server, task_of(server, 1, Purpose.OPINION), other(1), by=2)
    assert label_of(workspace, 0) == species(0)
    assert label_of(workspace, 1) is None
    with workspace.database.read() as conn:
        assert oracle.disputed_ids(conn, PROJECT) == {detection(1)}
    assert look_again(workspace, server, PROJECT) == 1  # the dispute; no third opinion
    assert asked(server, Purpose.DISPUTED) == [detection(1)]


def test_whoever_answers_their_own_crop_again_repeats_and_gives_no_second_vote(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    look_again(workspace, server, PROJECT)
    answer(workspace, server, task_of(server, 1, Purpose.OPINION), other(1), by=1)
    assert label_of(workspace, 1) == other(1)
    report = agreement(workspace, PROJECT)
    assert report.all.crops == 0
    first = report.annotators[0]
    assert (first.id, first.repeats.crops, first.repeats.share) == ("1", 1, 0.0)


def test_one_annotator_alone_is_asked_nothing_twice(database: Database, tmp_path: Path) -> None:
    populate(database, 3, options={"opinions": 1.0})
    made = make_workspace(database, tmp_path)
    server = FakeLabelStudio(PROJECT, {one + 1: detection(one) for one in range(3)}, species=SPECIES)
    activate(database)
    server.now = utc_now() - dt.timedelta(days=1)
    server.annotate(1, species(0))
    sync(made, server, PROJECT)
    assert look_again(made, server, PROJECT) == 0


def test_the_share_of_crops_asked_twice_is_the_projects(database: Database, tmp_path: Path) -> None:
    crops = 400
    populate(database, crops, options={"opinions": 0.2})
    made = make_workspace(database, tmp_path)
    server = FakeLabelStudio(PROJECT, {one + 1: detection(one) for one in range(crops)}, species=SPECIES)
    with database.write() as conn:
        number = categories.numbers(conn)[SPECIES[0]]
    activate(database)
    record(database, [said(one, number, by="12"[one % 2]) for one in range(crops)])
    assert 50 <= look_again(made, server, PROJECT) <= 110  # 80 expected; their spread is 8


def test_an_opinion_that_nobody_needs_any_more_is_parked_and_deleted(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    look_again(workspace, server, PROJECT)
    parked = task_of(server, 2, Purpose.OPINION)
    answer(workspace, server, task_of(server, 2), species(2), by=2)  # on the crop's first task
    look_again(workspace, server, PROJECT)
    assert server.rows[parked]["is_labeled"]
    assert len(opinions(workspace)) == 6
    server.add_task(9_999, {"detection_id": "newest"})
    with workspace.database.write() as conn:
        tasks.add(conn, [TaskRecord(project_id=PROJECT, task_id=9_999, detections=(detection(11),))])
    delete_parked(workspace, server, PROJECT, grace=dt.timedelta(0))
    assert parked in server.deleted  # though the mark of its annotator is in it


# --- disputes and experts


def disputed(workspace: Workspace, server: FakeLabelStudio) -> int:
    """The task that asks about a dispute of crop 1."""
    answer(workspace, server, task_of(server, 1), other(1), by=2)
    look_again(workspace, server, PROJECT)
    return task_of(server, 1, Purpose.DISPUTED)


def test_a_third_vote_decides_a_dispute_which_then_ends(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    task = disputed(workspace, server)
    reason = server.data[task]["head"]
    assert f"Annotators disagree: {', '.join(sorted([species(1), other(1)]))}" in reason
    assert server.queue()[0][0] == detection(1)
    answer(workspace, server, task, species(1), by=3)
    assert label_of(workspace, 1) == species(1)
    look_again(workspace, server, PROJECT)
    assert asked(server, Purpose.DISPUTED) == []


def test_ground_truth_ends_a_dispute_and_its_task_leaves_the_stream(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    disputed(workspace, server)
    answer(workspace, server, task_of(server, 1), other(1), by=3, truth=True)
    assert label_of(workspace, 1) == other(1)
    look_again(workspace, server, PROJECT)
    assert asked(server, Purpose.DISPUTED) == []


def test_a_dispute_is_asked_once_and_again_only_on_command(
    workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(workspace, server, disputed(workspace, server), other(1), by=2)  # who said so before
    look_again(workspace, server, PROJECT)
    assert asked(server, Purpose.DISPUTED) == []
    run = commands(workspace, server, monkeypatch)
    listed = run("review", "--disputed")
    assert "1 crop" in listed
    assert f"{other(1)} (2)" in listed
    assert "ground truth" in listed
    assert "1 crop" in run("review", "--disputed", "--push")
    assert asked(server, Purpose.DISPUTED) == [detection(1)]
    assert json.loads(run("review", "--disputed", "--push", "--json"))["asked"] == 0  # one is open


def test_what_needs_an_expert_is_asked_until_somebody_else_names_it(
    workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(workspace, server, task_of(server, 7), other(7), by=1, expert=True)
    look_again(workspace, server, PROJECT)
    assert asked(server, Purpose.EXPERT) == [detection(7)]
    assert "1 crop" in commands(workspace, server, monkeypatch)("review", "--expert")
    answer(workspace, server, task_of(server, 7, Purpose.EXPERT), species(7), by=2)
    assert label_of(workspace, 7) == species(7)
    look_again(workspace, server, PROJECT)
    assert asked(server, Purpose.EXPERT) == []
    assert "No crops wait for an expert" in commands(workspace, server, monkeypatch)("review", "--expert")


# --- agreement


def said(number: int, label: int, *, by: str, **more: Any) -> AnnotationRecord:
    fields: dict[str, Any] = {
        "annotation_uid": f"{by} on {number} {more}",
        "annotation_id": None,
        "task_id": number + 1,
        "verdict": Verdict.LABEL,
        "lead_time": 4.0,
        "way": Way.SINGLE,
        "annotated_at": utc_now() - dt.timedelta(hours=1),
    }
    return AnnotationRecord(
        project_id=PROJECT, detection_id=detection(number), label=label, annotator=by, **(fields | more)
    )


def report_of(database: Database, tmp_path: Path, *annotations: AnnotationRecord) -> AgreementReport:
    record(database, annotations)
    return agreement(make_workspace(database, tmp_path), PROJECT, {"1": "ann@example.org"})


@pytest.mark.both_databases
def test_alpha_counts_crops_that_two_named_and_tells_each_annotator(
    database: Database, tmp_path: Path
) -> None:
    populate(database, 20)
    with database.read() as conn:
        deer, fox, _ = (categories.numbers(conn)[name] for name in SPECIES)
    both = [deer] * 6 + [fox] * 4
    report = report_of(
        database,
        tmp_path,
        *(said(one, label, by="1", kept=one > 2) for one, label in enumerate(both)),
        *(said(one, fox if one == 5 else label, by="2") for one, label in enumerate(both)),
        *(said(one, deer, by="1", way=Way.BOARD, lead_time=0.5) for one in range(10, 20)),
    )
    # 20 answers, 11 of deer and 9 of fox, of which one crop's two differ.
    assert report.all.alpha == pytest.approx(1 - (1 * 2 / 20) / (2 * 11 * 9 / (20 * 19)))
    assert report.all.crops == 10
    assert {name: found.crops for name, found in report.species.items()} == {"deer": 6, "fox": 5}
    ann, two = report.annotators
    assert (ann.name, ann.labels, ann.consensus.crops, ann.consensus.share) == (
        "ann@example.org",
        20,
        10,
        0.9,
    )
    assert (two.name, two.labels, two.consensus.share) == ("2", 10, 0.9)
    assert (ann.ways[Way.SINGLE].kept, two.ways[Way.SINGLE].kept) == (0.7, None)
    assert (ann.ways[Way.BOARD].labels, ann.ways[Way.BOARD].seconds) == (10, 0.5)


def test_answers_to_reviews_and_disputes_say_nothing_about_agreement(
    database: Database, tmp_path: Path
) -> None:
    populate(database, 6)
    with database.write() as conn:
        number = categories.numbers(conn)[SPECIES[0]]
        review = TaskRecord(
            project_id=PROJECT, task_id=99, detections=(detection(0),), purpose=Purpose.REVIEW
        )
        tasks.add(conn, [review])
    report = report_of(database, tmp_path, said(0, number, by="1"), said(0, number, by="2", task_id=99))
    assert report.all.crops == 0
    assert [one.labels for one in report.annotators] == [1, 1]


def test_the_command_tells_agreement_and_names_whom_it_can(
    workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = commands(workspace, server, monkeypatch)
    assert "No crop was named by two annotators yet." in run("agreement")
    look_again(workspace, server, PROJECT)
    for one in range(6):
        named = other(one) if one == 1 else species(one)
        answer(workspace, server, task_of(server, one, Purpose.OPINION), named, by=2)
    text = run("agreement")
    assert "Krippendorff's alpha" in text
    assert "from 6 crops named by two annotators or more" in text
    assert "ann@example.org" in text
    assert "1 disputed crop: see `wildloop review --disputed`" in text
    found = json.loads(run("agreement", "--json"))
    assert found["all"]["crops"] == 6
    assert found["disputed"] == 1

    def refuse() -> dict[str, str]:
        raise LabelStudioError("nobody answers")

    monkeypatch.setattr(server, "user_names", refuse)
    assert "ann@example.org" not in run("agreement")


def commands(workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the command line prints on standard output."""
    for module in ("review", "agreement"):
        monkeypatch.setattr(f"pipeline.cli.{module}.opened", lambda: workspace)
    monkeypatch.setattr(Workspace, "label_studio", lambda _: server)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(wildloop, [*arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return run
