"""`--json` of every command: one document on standard output, with keys that other programs rely on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.cli import wildloop
from pipeline.steps.labelling import project
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import SPECIES, forest, label, populate
from tests.helpers.photographs import encoded, put, scene

VERSION = {"version", "project_id", "embedder", "labels", "path", "parent", "metrics", "created_at"}
STOCK = {"version", "asked", "parked", "deleted", "recovered", "open", "complete"}

Json = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Json:
    """A command with --json, in an empty workspace; returns what it printed on standard output."""
    monkeypatch.setattr(Workspace, "label_studio", lambda _: forest())
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    for name in ("WILDLOOP_DATABASE_URL", "WILDLOOP_EMBEDDER", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)

    def command(*words: str | Path, status: int = 0) -> Any:
        result = CliRunner().invoke(wildloop, [*map(str, words), "--json"], catch_exceptions=False)
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    return command


def opened(tmp_path: Path) -> Database:
    """The database of the commands' workspace."""
    (tmp_path / "data").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'data' / 'wildloop.db'}")
    database.migrate()
    return database


@pytest.fixture
def trained(run: Json, tmp_path: Path) -> Json:
    """The same, with a project of 120 crops, 60 of them labelled, and a version that learned from these."""
    database = opened(tmp_path)
    populate(database)
    run("train")
    label(database, range(60))
    run("train")
    database.dispose()
    return run


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    """Six crops of two species at three locations."""
    folder = tmp_path / "crops"
    for number in range(6):
        name = f"{('deer', 'red fox')[number % 2]}/CAM{number // 2}_{number}.jpg"
        put(folder / name, encoded(scene(seed=number)))
    return folder


def test_imports(run: Json, crops: Path, tmp_path: Path) -> None:
    counted = {
        "source",
        "photographs",
        "known",
        "detections",
        "labels",
        "failed",
        "refused",
        "notes",
        "seconds",
    }
    report = run("import", "crops", crops)
    assert counted <= report.keys()
    assert (report["photographs"], report["labels"], report["failed"]) == (6, 6, {})
    put(tmp_path / "photos" / "a.jpg", encoded(scene()))
    put(tmp_path / "photos" / "b.jpg", b"")
    assert run("import", "folder", tmp_path / "photos", "--detector", "whole-frame")["failed"] == {"empty": 1}
    results = {"info": {"format_version": "1.5"}, "images": [{"file": "a.jpg", "detections": []}]}
    listed = put(
        tmp_path / "md.json", json.dumps(results | {"detection_categories": {"1": "animal"}}).encode()
    )
    words = ("--images", tmp_path / "photos")
    assert counted <= run("import", "megadetector", listed, *words).keys()
    boxes = put(tmp_path / "boxes.csv", b"a.jpg,0.9,0.1,0.1,0.5,0.5\n")
    assert run("import", "detections-csv", boxes, *words)["detections"] == 1
    table = put(tmp_path / "cameras.csv", b"location,latitude,longitude\nA,51.2,4.4\n")
    assert {"rows", "new", "updated", "without_coordinates", "without_zone", "locations"} == run(
        "import", "deployments", table
    ).keys()


def test_an_import_of_nothing_fails_and_still_reports(run: Json, tmp_path: Path) -> None:
    put(tmp_path / "photos" / "a.jpg", b"")
    report = run("import", "folder", tmp_path / "photos", "--detector", "whole-frame", status=1)
    assert (report["photographs"], report["failed"]) == (0, {"empty": 1})


def test_embeddings_exports_and_datasets(run: Json, crops: Path, tmp_path: Path) -> None:
    run("import", "crops", crops, "--location-pattern", "(?P<location>CAM[0-9])")
    (embedded,) = run("embed", "--embedder", "descriptor")
    assert embedded.keys() == {"embedder", "dimension", "embedded", "broken", "uncut", "complete", "seconds"}
    assert embedded["embedded"] == 6
    for form in ("csv", "coco", "megadetector", "detections-csv"):
        report = run("export", form, tmp_path / form)
        assert report.keys() == {"path", "photographs", "detections", "answers", "notes"}
        assert (report["path"], report["answers"]) == (str(tmp_path / form), {"source": 6})
    made = run("dataset", "make", tmp_path / "set", "--role", "target")
    assert {"path", "crops", "places", "copied", "broken"} <= made.keys()
    assert made["crops"].keys() == {"deer", "red fox"}
    assert all(split.keys() == {"train", "test"} for split in made["crops"].values())
    parts = [tmp_path / "set" / f"{split}.json" for split in ("train", "test")]
    combined = run("combine-json", tmp_path / "all.json", *parts)
    assert combined.keys() == {
        "images", "annotations", "categories", "unused_values", "unused_fields", "notes",
    }  # fmt: skip
    assert run("import", "coco", *parts, "--images", tmp_path / "set")["photographs"] == 6
    assert run("embedding", "list") == []


def test_status_names_categories_and_has_dates_in_iso_form(trained: Json) -> None:
    label_all = trained("accept", "--precision", "0.6", "--confidence", "0.6")
    assert label_all["settled"] > 0
    (project,) = trained("status")["projects"]
    assert project["model"]["created_at"].endswith("+00:00")
    assert project["model"]["metrics"]["classes"].keys() == set(SPECIES)
    assert project["accepted"]["thresholds"].keys() <= set(SPECIES)
    assert {"precision", "confidence", "audited"} <= project["accepted"].keys()


def test_versions(trained: Json) -> None:
    first, second = trained("models")
    assert VERSION | {"current"} <= first.keys()
    assert (first["current"], second["current"]) == (False, True)
    assert trained("activate", "v0")["version"] == first["version"]
    result = trained("train")
    told = {"run", "version", "new", "labels", "accuracy", "reason", "stock", "model", "unoffered"}
    assert told == result.keys()
    assert result["model"].keys() >= VERSION
    assert result["version"] == second["version"]
    assert not result["new"]
    assert trained("train", "--queue").keys() == {"run"}


def test_the_audit_and_what_it_permits(trained: Json) -> None:
    report = trained("audit", "--size", "5")
    figures = {"version", "waiting", "labelled", "open", "unanswered", "estimates", "pooled", "forecast"}
    figures.add("confirmations")
    assert report.keys() == figures
    assert report["estimates"].keys() >= {"rows", "confidence", "accuracy", "macro_recall", "classes"}
    assert report["estimates"]["accuracy"].keys() == {"value", "low", "high", "size"}
    assert set(report["estimates"]["classes"]) <= set(SPECIES)
    accepted = trained("accept")
    assert {
        "version",
        "precision",
        "confidence",
        "audited",
        "groups",
        "settled",
        "waiting",
    } <= accepted.keys()
    assert {"species", "threshold", "above", "right", "settled"} == accepted["groups"][0].keys()


def test_before_the_first_version_there_is_no_audit(run: Json, tmp_path: Path) -> None:
    database = opened(tmp_path)
    populate(database)
    database.dispose()
    assert run("audit") is None


def test_label_studio(trained: Json) -> None:
    assert trained("publish").keys() == STOCK
    reviewed = trained("review")
    assert {"suspects", "expected", "labels", "waiting", "found", "requested"} == reviewed.keys()
    assert (reviewed["labels"], reviewed["requested"]) == (60, None)
    synced = {"tasks", "new", "tasks_deleted", "foreign", "unreadable", "disputed", "training"}
    assert trained("sync").keys() == synced


def test_a_project(run: Json, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeLabelStudio()
    monkeypatch.setattr(server, "projects", lambda _: [], raising=False)
    monkeypatch.setattr(Workspace, "label_studio", lambda _: server)
    monkeypatch.setattr(project, "ensure_project", lambda *_, **__: (7, ["created project 7"]))
    species = put(tmp_path / "species.txt", b"deer\nfox\n")
    words = ("--title", "Park", "--species", species, "--embedder", "descriptor")
    report = run("project", "create", *words)
    assert report.keys() == {"project", "changes", "unoffered", "url"}
    assert (report["project"]["id"], report["project"]["title"]) == (7, "Park")
    assert report["changes"] == ["created project 7", "instructions written"]
    assert report["url"].endswith("/projects/7/data")
    changed = run("project", "species", "add", "lynx")
    assert (changed["offered"][-3:], changed["relabelled"], changed["stock"]) == (
        ["lynx", "empty", "unsure"],
        0,
        None,
    )
    listed = run("project", "species", "list")
    assert [one["name"] for one in listed] == ["deer", "fox", "lynx", "empty"]
    assert listed[0].keys() == {"name", "hotkey", "labels", "other_names", "offered", "proposed"}
    assert run("project", "options", "--with", "count")["options"]["count"]
    assert run("project", "options").keys() == {"project", "options"}
    assert run("project", "forget", "7") == {"project": 7, "labels": 0}


def test_simulations(run: Json, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    np.savez(tmp_path / "pool.npz", E=rng.normal(size=(90, 4)) + 3 * labels[:, None], label=labels)
    words = ("--seeds", "1", "--budget", "30", "--strategies", "random", "--processes", "1")
    result = run("simulate", tmp_path / "pool.npz", "--out", tmp_path / "out", *words)
    described = {"pool", "crops", "species", "tested_by", "seeds", "budget", "reference", "target"}
    assert described | {"rows", "files"} <= result.keys()
    assert [row["strategy"] for row in result["rows"]] == ["random"]
    assert result["rows"][0]["area"].keys() == {"mean", "low", "high"}
    asked = [row["asking"] for row in result["asking"]["rows"]]
    assert asked == ["singles", "sequences", "sequences and boards"]
    assert result["asking"]["presses"] == 30
    files = [Path(file).name for file in result["files"]]
    assert files == ["curves.csv", "curves.png", "presses.png", "report.html"]


def test_the_doctor(run: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABEL_STUDIO_API_KEY")
    results = run("doctor", status=1)
    assert {tuple(one) for one in results} == {("check", "state", "what", "remedy", "project")}
    assert {one["state"] for one in results} <= {"ok", "warn", "fail"}


@pytest.mark.usefixtures("trained")
def test_remarks_go_to_standard_error() -> None:
    result = CliRunner().invoke(wildloop, ["audit", "--size", "1", "--json"], catch_exceptions=False)
    assert "1 audit crop drawn" in result.stderr
    assert "first the queue of v" in result.stderr
    assert json.loads(result.stdout)["version"]
