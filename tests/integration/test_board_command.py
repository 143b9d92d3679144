"""`wildloop board`: crops like an example or of a species, asked together before the queue."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from PIL import Image

from importers.detectors import WholeFrame
from importers.sources.folder import import_folder
from pipeline.cli import wildloop
from pipeline.embedders import load
from pipeline.label_studio.screen import controls
from pipeline.records import ProjectRecord, Purpose, TaskKind, TaskRecord, Way
from pipeline.steps.embedding.embed import embed
from pipeline.steps.embedding.example import read_example
from pipeline.steps.labelling.requested_boards import SCORE, board_like
from pipeline.steps.labelling.stock import top_up
from pipeline.steps.labelling.sync import sync
from pipeline.steps.learning.audit import draw
from pipeline.steps.learning.train import train
from pipeline.store import audits, categories, embeddings, oracle, projects, tasks
from pipeline.store.database import Database
from pipeline.store.schema import project as project_table
from pipeline.workspace import Workspace
from tests.helpers import labelled_workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import PROJECT, SPECIES, detection, make_workspace, populate, species
from tests.helpers.photographs import encoded, put
from tests.helpers.results import chose
from tests.helpers.stored import Embedder

CROPS = 150


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeLabelStudio:
    empty = FakeLabelStudio(PROJECT, species=SPECIES)
    monkeypatch.setattr(Workspace, "label_studio", lambda _: empty)
    return empty


@pytest.fixture
def workspace(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Workspace:
    """150 crops that nobody has labelled, with no version."""
    populate(sqlite_database, CROPS, asked=False)
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    return make_workspace(sqlite_database, tmp_path)


@pytest.fixture
def trained(workspace: Workspace) -> Workspace:
    """The first sixty crops are labelled and a version is current."""
    labelled_workspace.label(workspace.database, range(60))
    train(workspace, PROJECT)
    return workspace


def said(*words: str) -> Result:
    return CliRunner().invoke(wildloop, ["board", *words])


def made(*words: str) -> list[dict[str, Any]]:
    result = said(*words, "--json")
    assert result.exit_code == 0, result.output
    boards: list[dict[str, Any]] = json.loads(result.stdout)["boards"]
    return boards


def error(*words: str) -> str:
    result = said(*words)
    assert result.exit_code != 0
    return str(result.exception or result.output)


def crops(board: dict[str, Any]) -> list[str]:
    return [crop["detection_id"] for crop in board["crops"]]


def true(crop: str) -> str:
    return species(int(crop.removeprefix("d")))


def stored(workspace: Workspace, board: dict[str, Any]) -> TaskRecord:
    with workspace.database.read() as conn:
        return tasks.get(conn, PROJECT, [board["task_id"]])[board["task_id"]]


# --- crops like an example


def test_a_board_of_an_examples_neighbours_comes_before_any_version(
    workspace: Workspace, server: FakeLabelStudio
) -> None:
    [board] = made("--like", detection(7))
    assert len(board["crops"]) == 24
    assert crops(board)[0] == detection(7)
    assert board["crops"][0]["similarity"] == pytest.approx(1, abs=0.01)
    likeness = [crop["similarity"] for crop in board["crops"]]
    assert likeness == sorted(likeness, reverse=True)
    assert sum(true(crop) == true(detection(7)) for crop in crops(board)) >= 20
    task = stored(workspace, board)
    assert (task.kind, task.purpose, task.way) == (TaskKind.BOARD, Purpose.SUGGESTION, Way.SUGGESTION)
    data = server.data[task.task_id]
    assert (data["detections"], data["species"]) == (crops(board), "")
    assert "They resemble 7.jpg" in json.dumps(data)


def test_with_a_version_the_board_leads_its_queue_and_says_what_is_predicted(
    trained: Workspace, server: FakeLabelStudio
) -> None:
    with trained.database.read() as conn:
        version = projects.get(conn, PROJECT).current_model
    [board] = made("--like", detection(7), "--species", species(7), "--size", "48")
    assert board["version"] == version
    assert all(crop["predicted"] in SPECIES and 0 < crop["probability"] <= 1 for crop in board["crops"])
    assert not set(crops(board)) & set(map(detection, range(60)))  # these have a label
    [prediction] = [each for each in server.predictions if each["task"] == board["task_id"]]
    assert prediction["score"] == SCORE
    assert prediction["result"][0]["value"]["choices"] == [species(7)]


@pytest.mark.usefixtures("trained")
def test_the_label_of_the_example_is_told_and_not_selected(server: FakeLabelStudio) -> None:
    [board] = made("--like", detection(7))
    assert board["reason"] == f"They resemble 7.jpg, labelled {species(7)}"
    assert server.data[board["task_id"]]["species"] == ""


@pytest.mark.usefixtures("workspace", "server")
def test_a_second_board_takes_the_next_crops_and_at_last_none_is_left() -> None:
    boards = [made("--like", detection(7), "--size", "48")[0] for _ in range(4)]
    shown = [crop for board in boards for crop in crops(board)]
    assert len(shown) == len(set(shown)) == CROPS
    assert [len(board["crops"]) for board in boards] == [48, 48, 48, 6]
    assert "no crop is left for a board" in error("--like", detection(7))


@pytest.mark.usefixtures("server")
def test_crops_of_the_audit_are_on_no_board(trained: Workspace) -> None:
    draw(trained, PROJECT, 40)
    with trained.database.read() as conn:
        drawn = audits.drawn_ids(conn, PROJECT)
    assert len(drawn) >= 40
    shown = set(crops(made("--like", detection(7))[0]))
    assert shown
    assert not shown & drawn


def test_the_answer_of_a_board_labels_its_crops_as_a_suggestion(
    trained: Workspace, server: FakeLabelStudio
) -> None:
    [board] = made("--like", detection(7), "--species", "boar")
    server.submit(
        board["task_id"], [chose(controls.ALL_SUGGESTED, "boar"), chose(controls.STRUCK, crops(board)[3])]
    )
    sync(trained, server, PROJECT)
    with trained.database.read() as conn:
        history = oracle.histories(conn, crops(board))
        labelled = oracle.labels(conn)
    assert {history[crop][-1].way for crop in crops(board)} == {Way.SUGGESTION}
    assert set(crops(board)) - labelled.keys() == {crops(board)[3]}


@pytest.mark.usefixtures("workspace")
def test_an_unknown_detection_is_told_with_ids_that_begin_like_it(server: FakeLabelStudio) -> None:
    told = error("--like", "d0147x")
    assert "neither a detection nor a file d0147x; ids that begin like it: d0147 (" in told
    assert "ids that begin" not in error("--like", "x9")
    assert not server.rows


@pytest.mark.usefixtures("server")
def test_a_picture_needs_the_embedder_and_a_picture(workspace: Workspace, tmp_path: Path) -> None:
    picture = put(tmp_path / "fox.png", encoded(Image.new("RGB", (40, 40)), "PNG"))
    assert "made-up" in error("--like", str(picture))  # nobody has its weights
    descriptor = load("descriptor", data_dir=tmp_path)
    with workspace.database.write() as conn:
        embeddings.register(conn, descriptor)
        conn.execute(sa.update(project_table).values(embedder=descriptor.id))
    (tmp_path / "notes.txt").write_text("a fox")
    told = error("--like", str(tmp_path / "notes.txt"))
    assert "notes.txt cannot be an example: not_an_image" in told
    assert "choose another picture" in told
    assert "not_a_file" in error("--like", str(tmp_path))


@pytest.mark.usefixtures("workspace")
def test_a_species_that_is_not_in_the_list_is_told_with_names_like_it(server: FakeLabelStudio) -> None:
    assert "does not offer foxx; it has fox (" in error("--like", detection(7), "--species", "foxx")
    assert not server.rows


@pytest.mark.usefixtures("server")
def test_after_a_change_of_the_embedder_the_example_is_compared_by_the_new_one(workspace: Workspace) -> None:
    other = Embedder(id="other")
    vectors = np.eye(8)[np.arange(CROPS) % 5]  # likens each crop to every fifth
    with workspace.database.write() as conn:
        embeddings.register(conn, other)
        embeddings.append(conn, other.id, [detection(number) for number in range(CROPS)], vectors)
        conn.execute(sa.update(project_table).values(embedder=other.id))
    [board] = made("--like", detection(7))
    assert {int(crop.removeprefix("d")) % 5 for crop in crops(board)} == {2}


# --- crops predicted as a species, and suggestions


@pytest.mark.usefixtures("trained")
def test_a_board_of_a_species_holds_what_is_predicted_as_it(server: FakeLabelStudio) -> None:
    [board] = made("--species", "Fox")
    assert {crop["predicted"] for crop in board["crops"]} == {"fox"}
    assert server.data[board["task_id"]]["species"] == "fox"
    assert "first" in said("--species", "fox").output


@pytest.mark.usefixtures("workspace", "server")
def test_before_a_version_predicts_a_board_of_a_species_needs_an_example() -> None:
    for words in (("--species", "fox"), ("--suggest",)):
        assert "has no version that predicts yet" in error(*words)


def test_new_look_alikes_and_doubtful_labels_are_suggested_with_the_reason(
    trained: Workspace, server: FakeLabelStudio
) -> None:
    rng = np.random.default_rng(0)
    populate(trained.database, CROPS + 12, first=CROPS, asked=False, strange=True)
    with trained.database.write() as conn:  # twelve strangers that are alike
        strangers = rng.normal(size=8) * 0.1 - 3
        rows = (strangers + 0.01 * rng.normal(size=(12, 8))).astype("<f2")
        for number, row in enumerate(rows):
            conn.execute(
                sa.text("UPDATE embedding SET vector = :vector WHERE detection_id = :crop"),
                {"vector": row.tobytes(), "crop": detection(CROPS + number)},
            )
    labelled_workspace.label(trained.database, [3, 4, 5], day=1, wrong=True)
    train(trained, PROJECT)
    boards = made("--suggest")
    told = {board["reason"]: sorted(crops(board)) for board in boards}
    assert told["They resemble each other, and nothing that is labelled"] == [
        detection(number) for number in range(CROPS, CROPS + 12)
    ]
    doubted = [each for reason, each in told.items() if reason.startswith("Labelled ")]
    assert [detection(number) for number in (3, 4, 5)] in doubted
    assert all(not server.data[board["task_id"]]["species"] for board in boards)
    assert not {tuple(sorted(crops(board))) for board in made("--suggest")} & set(map(tuple, told.values()))


def test_a_label_struck_out_among_those_that_disagree_is_asked_about_alone(
    trained: Workspace, server: FakeLabelStudio
) -> None:
    labelled_workspace.label(trained.database, [3, 4, 5], day=1, wrong=True)
    train(trained, PROJECT)
    with trained.database.write() as conn:  # Label Studio does not have the labels of before
        start = labelled_workspace.START
        projects.move_watermark(conn, PROJECT, former=None, new=start, synced_at=start)
    server.now = start + dt.timedelta(days=2)
    [board] = [each for each in made("--suggest") if detection(4) in crops(each)]
    with trained.database.read() as conn:
        before = categories.names(conn)[oracle.labels(conn)[detection(4)]]
    assert before != true(detection(4))
    result = [chose(controls.ALL, before), chose(controls.STRUCK, detection(4))]
    server.submit(board["task_id"], result, by=2)
    sync(trained, server, PROJECT)
    top_up(trained, server, PROJECT)
    with trained.database.read() as conn:
        asked = [task for task in tasks.open_tasks(conn, PROJECT) if task.purpose is Purpose.REVIEW]
    assert [(task.kind, task.detections) for task in asked] == [(TaskKind.SINGLE, (detection(4),))]
    top_up(trained, server, PROJECT)
    assert server.next_task() == asked[0].task_id
    server.submit(asked[0].task_id, [chose(controls.SPECIES, true(detection(4)))], by=1)
    sync(trained, server, PROJECT)
    with trained.database.read() as conn:
        assert categories.names(conn)[oracle.labels(conn)[detection(4)]] == true(detection(4))


@pytest.mark.parametrize("words", [(), ("--suggest", "--species", "fox"), ("--like", "x", "--size", "30")])
@pytest.mark.usefixtures("workspace")
def test_wrong_options_are_explained(words: Sequence[str]) -> None:
    result = said(*words)
    assert result.exit_code == 2
    assert "--like" in result.output or "--size" in result.output


# --- a real pool


def test_a_rare_fish_is_found_far_above_chance_with_the_descriptor(
    sqlite_database: Database, shared_data: Path, tmp_path: Path
) -> None:
    workspace = make_workspace(sqlite_database, tmp_path)
    root = shared_data / "fish_crops"
    with (root / "labels.csv").open() as file:
        species_of = {row["file_name"]: row["label"] for row in csv.DictReader(file)}
        track_of = {name: name.split("_f")[1] for name in species_of}
    import_folder(workspace, root, WholeFrame())
    embedder = load("descriptor", data_dir=tmp_path)
    embed(workspace, embedder)
    names = sorted(set(species_of.values()))
    with sqlite_database.write() as conn:
        projects.save(conn, ProjectRecord(id=PROJECT, title="Reef", embedder=embedder.id))
    with sqlite_database.read() as conn:
        project = projects.get(conn, PROJECT)
    lifts = []
    for name in names:
        of_it = [file for file, label in species_of.items() if label == name]
        if not 10 <= len(of_it) <= 30:
            continue
        server = FakeLabelStudio(PROJECT, species=names)
        example = read_example(workspace, project, str(root / of_it[0]))
        board = board_like(
            workspace, server, project, example.vector, name=example.name, species=name, size=24
        )
        found = [crop.file_name for crop in board.crops if track_of[crop.file_name] != track_of[of_it[0]]]
        others = [file for file in of_it if track_of[file] != track_of[of_it[0]]]
        chance = len(others) / len(species_of)
        lifts.append(np.mean([species_of[file] == name for file in found]) / chance)
        with sqlite_database.write() as conn:  # the next board may hold its crops, too
            tasks.set_parked(conn, PROJECT, [board.task_id])
    assert len(lifts) >= 10
    assert np.median(lifts) > 4  # 6.4 times as many as a random board, without the example's own track
