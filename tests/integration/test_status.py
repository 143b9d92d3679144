"""`wildloop status` over a store in which everything has happened once."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli.status import status as status_command
from pipeline.records import (
    AnnotationRecord,
    Box,
    DetectionRecord,
    ImageRecord,
    ModelRecord,
    ProjectRecord,
    RunKind,
    TaskRecord,
    Verdict,
)
from pipeline.render import operations as render
from pipeline.steps.operations.status import status
from pipeline.store import categories, detections, embeddings, images, models, projects, runs, tasks
from pipeline.store.database import Database, place
from tests.helpers.annotations import record
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.stored import Embedder

NOW = dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC)
PROJECT = 7


FOUR_NUMBERS = Embedder(id="four-numbers", dimension=4, manifest={"spec": "descriptor"})


def annotation(number: int, verdict: Verdict, label: int | None, annotator: str = "ann") -> AnnotationRecord:
    return AnnotationRecord(
        project_id=PROJECT,
        detection_id=f"d{number}",
        annotation_uid=f"{annotator}-{number}",
        annotation_id=None,
        task_id=number,
        verdict=verdict,
        label=label,
        annotator=annotator,
        annotated_at=NOW,
    )


@pytest.fixture
def busy(database: Database) -> Database:
    """Twelve photographs, two of them broken; nine tasks: three labelled, one unsure, skipped, disputed."""
    with database.write() as conn:
        images.add(
            conn, (ImageRecord(id=f"i{n}", file_name=f"a/{n}.jpg", path=f"/p/{n}.jpg") for n in range(10))
        )
        broken = ImageRecord(id="x1", file_name="a/b\nroken.jpg", path="/p/b", failure="truncated")
        images.add(conn, [broken, ImageRecord(id="x2", file_name="n.jpg", path="/p/n", failure="missing")])
        box = Box(x1=0.1, y1=0.1, x2=0.5, y2=0.5)
        detections.add(
            conn,
            (
                DetectionRecord(
                    id=f"d{n}",
                    image_id=f"i{n}",
                    box=box,
                    bbox_confidence=0.9,
                    detector="test",
                    crop_path=None if n == 9 else f"crops/{n}.jpg",
                )
                for n in range(10)
            ),
        )
        embeddings.register(conn, FOUR_NUMBERS)
        embeddings.append(conn, FOUR_NUMBERS.id, [f"d{n}" for n in range(9)], np.ones((9, 4), np.float32))
        projects.save(conn, ProjectRecord(id=PROJECT, title="Hill", embedder=FOUR_NUMBERS.id))
        fox = categories.ensure(conn, ["fox", "deer"])["fox"]
        tasks.add(conn, (TaskRecord(project_id=PROJECT, detections=(f"d{n}",), task_id=n) for n in range(9)))
        models.activate(
            conn,
            ModelRecord(
                version="v1-abc",
                project_id=PROJECT,
                embedder=FOUR_NUMBERS.id,
                digest="abc",
                labels=2,
                path=None,
                metrics={
                    "labels_known": 2,
                    "pool": 9,
                    "accuracy": 0.5,
                    "accuracy_low": 0.25,
                    "accuracy_high": 0.75,
                    "macro_f1": 0.4,
                    "held_out_by": "location",
                },
                created_at=NOW,
            ),
            [],
        )
        run_id = runs.request(conn, PROJECT, RunKind.TRAIN, trigger="command")
        claimed = runs.claim(conn, run_id, "worker")
        assert claimed is not None
        runs.finish(conn, claimed, error="the disk is full")
        runs.request(conn, PROJECT, RunKind.SYNC, trigger="timer")
    record(
        database,
        [
            *(annotation(n, Verdict.LABEL, fox) for n in range(3)),
            annotation(3, Verdict.UNSURE, None),
            annotation(4, Verdict.SKIPPED, None),
            annotation(5, Verdict.LABEL, fox),
            annotation(5, Verdict.LABEL, 0, annotator="bob"),
        ],
    )
    return database


def test_status_counts_everything_once(busy: Database) -> None:
    read = status(make_workspace(busy, Path(), retrain_every=20))
    assert (read.photographs, dict(read.failed)) == (10, {"missing": 1, "truncated": 1})
    assert (read.detections, read.crops, dict(read.embedded)) == (10, 9, {"four-numbers": 9})
    (project,) = read.projects
    assert (project.id, project.title, project.embedder) == (PROJECT, "Hill", "four-numbers")
    assert (project.crops, project.stock, project.done) == (9, 9, False)
    assert (project.labelled, project.unsure) == (3, 1)
    assert (project.skipped, project.disputed) == (1, 1)
    assert (project.queued, project.running, project.versions) == (1, 0, 1)
    assert project.labels_until_training == 5  # not 19, twenty after the two that v1 knew: only five wait
    assert project.model is not None
    assert (project.model.version, project.model.labels) == ("v1-abc", 2)
    assert [failure.error for failure in read.failed_runs] == ["the disk is full"]
    assert {photo.failure for photo in read.failed_photographs} == {"missing", "truncated"}


def test_status_of_an_empty_store_says_what_to_do_next(database: Database) -> None:
    read = status(make_workspace(database, Path(), retrain_every=20))
    assert (read.photographs, read.projects, read.failed_runs) == (0, (), ())
    assert "No project yet: create one with `wildloop project create`." in render.status(read).splitlines()


def test_status_shows_a_photograph_with_a_newline_in_its_name_on_one_line(busy: Database) -> None:
    lines = render.status(status(make_workspace(busy, Path(), retrain_every=20))).splitlines()
    assert "  truncated  a/b\\nroken.jpg" in lines


def test_the_command_prints_text_and_json_with_stable_keys(
    busy: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", busy.engine.url.render_as_string(hide_password=False))
    text = CliRunner().invoke(status_command, [], catch_exceptions=False)
    assert text.exit_code == 0
    lines = {" ".join(line.split()) for line in text.output.splitlines()}
    assert f"store {place(busy.engine.url)}" in lines
    assert "worker none runs: nothing is trained or synced (start `wildloop worker`)" in lines
    assert "runs sync queued" in lines
    assert "version v1-abc, 2 labels" in lines
    assert "held out accuracy 50% (25% to 75%), macro-F1 0.40, by location" in lines
    assert "labelled 3 (33%), 1 unsure, 1 skipped, 1 disputed" in lines
    assert "photographs 10 2 more failed (1 missing, 1 truncated)" in lines
    assert any(line.startswith("run 1 train of project 7") for line in lines)
    answer = CliRunner().invoke(status_command, ["--json"], catch_exceptions=False)
    read = json.loads(answer.output)
    assert set(read) == {
        "store", "workers", "photographs", "failed", "damaged", "detections", "crops", "embedded", "projects",
        "failed_runs", "failed_photographs", "uncut", "empties",
    }  # fmt: skip
    assert set(read["projects"][0]) == {
        "id", "title", "embedder", "proposed", "crops", "stock", "waiting", "done", "labelled",
        "unoffered", "unsure", "skipped",
        "disputed", "audit_labels",
        "audit_waiting", "confirmations", "accepted", "versions", "model", "labels_until_training",
        "training_due", "queued",
        "running", "runs", "synced_at",
    }  # fmt: skip
    assert set(read["projects"][0]["model"]) == {"version", "labels", "created_at", "metrics"}
    assert read["projects"][0]["model"]["created_at"] == "2026-03-04T05:06:07+00:00"
    assert set(read["failed_runs"][0]) == {"run", "project", "kind", "at", "error"}
    assert set(read["failed_photographs"][0]) == {"file_name", "failure", "detail"}
