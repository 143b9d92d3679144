"""Photographs that machines call empty, on a real Label Studio: signed off, struck out, and boxed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.records import DRAWN_DETECTOR, TaskKind, TaskRecord
from pipeline.store import candidates, detections, projects, tasks
from tests.acceptance.conftest import Installation
from tests.helpers.called_empty import SIGNED_OFF, box, drawn
from tests.helpers.results import chose

PHOTOGRAPHS = 14  # the first has an animal


def test_a_missed_animal_gets_its_box_and_joins_the_pool(installation: Installation) -> None:
    root, run, database = (
        installation.photographs(PHOTOGRAPHS),
        installation.wildloop,
        installation.workspace.database,
    )
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*.jpg"))
    listed = [{"file": name, "detections": [] if place else [box()]} for place, name in enumerate(names)]
    head = {"info": {"format_version": "1.4", "detector": "md"}, "detection_categories": {"1": "animal"}}
    listing = installation.folder / "results.json"
    listing.write_text(json.dumps({"images": listed, **head}))
    run("import", "megadetector", str(listing), "--images", str(root))
    species = str(installation.species("red fox", "roe deer"))
    run("project", "create", "--title", installation.folder.name, "--species", species, "--no-backend")
    with database.read() as conn:
        [project] = projects.all(conn)

    def waiting(kind: TaskKind) -> list[TaskRecord]:
        with database.read() as conn:
            return [task for task in tasks.open_tasks(conn, project.id) if task.kind is kind]

    def answer(task: TaskRecord, result: list[dict[str, Any]]) -> None:
        whole = [{"to_name": each["from_name"].replace("box", "photo"), **each} for each in result]
        body = {"result": whole, "lead_time": 2.0}
        installation.api.send("annotating", "POST", f"api/tasks/{task.task_id}/annotations/", body)

    told = run("audit", "--empties", "13")
    assert "13 photographs drawn" in told
    boards = waiting(TaskKind.FRAMES)
    assert [len(board.detections) for board in boards] == [12, 1]
    answer(boards[0], [*SIGNED_OFF, chose("struck_0", boards[0].detections[4])])
    answer(boards[1], SIGNED_OFF)
    run("sync")
    run("publish")
    [alone] = waiting(TaskKind.FRAME)
    assert alone.detections == (boards[0].detections[4],)
    region = drawn(20, 30, 40, 40)
    region["value"]["rectanglelabels"] = ["animal"]
    answer(alone, [region | {"id": "r1", "original_width": 160, "original_height": 120, "image_rotation": 0}])
    run("sync")
    run("embed")
    assert "at most 7.7% of 13 show an animal" in run("audit")
    with database.read() as conn:
        whole = detections.get(conn, alone.detections)[alone.detections[0]]
        found = [
            each
            for each in detections.of_images(conn, [whole.image_id])[whole.image_id]
            if each.detector == DRAWN_DETECTOR
        ]
        waits = candidates.waiting_ids(conn)
    [new] = found
    assert (new.box.x1, new.box.y1, new.box.x2, new.box.y2) == pytest.approx((0.2, 0.3, 0.6, 0.7))
    assert new.id in waits
    run("publish")
    assert [task.detections for task in waiting(TaskKind.SINGLE) if task.detections == (new.id,)]
    run("sync")
    assert "at most 7.7% of 13 show an animal" in run("audit")
