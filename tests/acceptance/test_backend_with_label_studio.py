"""The backend as a process of its own beside a real Label Studio: what people do there is in the oracle."""

from __future__ import annotations

import base64
import json
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from pipeline.current_label import current_label
from pipeline.errors import LabelStudioError
from pipeline.label_studio.screen import controls
from pipeline.records import Purpose, TaskKind, Verdict
from pipeline.servers.processes import Servers
from pipeline.steps.labelling.ask import PlannedTask, ask
from pipeline.store import audits, categories, detections, oracle, predictions, projects, tasks
from pipeline.store.schema import run
from tests.acceptance.conftest import Installation, LabelStudioServer, install
from tests.helpers.processes import processor_seconds
from tests.helpers.results import answered, chose

SPECIES = ("deer", "fox")
PHOTOGRAPHS = 60


@dataclass(kw_only=True)
class Backend:
    """The backend of an installation whose photographs are published."""

    installation: Installation
    servers: Servers
    project: int = 0
    tasks: list[int] = field(default_factory=list)  # not yet used by a test

    def __post_init__(self) -> None:
        self.settings = self.installation.workspace.settings
        self.database = self.installation.workspace.database
        self.wildloop, self.api = self.installation.wildloop, self.installation.api

    def serve(self) -> None:
        self.installation.serve(self.servers)

    def stop(self) -> None:
        self.servers.stop()

    def log(self) -> str:
        return (self.installation.folder / "backend.log").read_text()

    def ask(self, path: str, body: Any = None) -> Any:
        """Ask the backend as Label Studio does."""
        given = f"{self.settings.basic_auth_user}:{self.settings.basic_auth_password}".encode()
        headers = {
            "Authorization": "Basic " + base64.b64encode(given).decode(),
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.settings.backend_url + path, data, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def annotate(self, task: int, choice: str | None, **more: Any) -> int:
        result = [chose(controls.SPECIES, choice)] if choice else []
        body = {"result": result, "lead_time": 1.0, **more}
        made = self.api.send("annotating", "POST", f"api/tasks/{task}/annotations/", body)
        return int(made["id"])

    def change(self, annotation: int, choice: str) -> None:
        body = {"result": [chose(controls.SPECIES, choice)]}
        self.api.send("changing", "PATCH", f"api/annotations/{annotation}/", body)

    def delete(self, path: str) -> None:
        self.api.send("deleting", "DELETE", path, None)

    def label_studio_says(self) -> dict[str, tuple[Any, ...]]:
        """Every annotation that stands in Label Studio, by unique id."""
        params = {"exportType": "JSON", "download_all_tasks": "true"}
        told = self.api.get("exporting", f"api/projects/{self.project}/export", params)
        return {
            one["unique_id"]: (
                int(task["id"]),
                *answered(one["result"], one["was_cancelled"]),
                one["ground_truth"],
                str(one["completed_by"]),
            )
            for task in told
            for one in task["annotations"]
        }

    def oracle_says(self) -> dict[str, tuple[Any, ...]]:
        """Every annotation that stands in the oracle, by unique id."""
        with self.database.read() as conn:
            names = categories.names(conn)
            return {
                one.annotation_uid: (
                    one.task_id,
                    one.verdict,
                    names[one.label] if one.label is not None else None,
                    one.ground_truth,
                    one.annotator,
                )
                for one in (state.annotation for state in oracle.active_annotations(conn, self.project))
            }


@pytest.fixture(scope="module")
def here(label_studio: LabelStudioServer) -> Iterator[Backend]:
    """Sixty photographs imported, embedded and published, and the backend connected."""
    installation = install(label_studio)
    photographs = installation.folder / "photographs"
    photographs.mkdir()
    noise = np.random.default_rng(3)
    for number in range(PHOTOGRAPHS):
        colour = np.array([150, 90, 40] if number % 2 else [60, 120, 70])
        pixels = (colour + noise.integers(-30, 30, (96, 128, 3))).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(photographs / f"{SPECIES[number % 2]}-{number:02}.jpg")
    with Servers(installation.folder) as servers:
        backend = Backend(installation=installation, servers=servers)
        backend.wildloop("import", "folder", str(photographs), "--detector", "whole-frame")
        backend.wildloop("embed")
        backend.serve()
        species = str(installation.species(*SPECIES))
        create = ["project", "create", "--title", installation.folder.name, "--species", species]
        backend.wildloop(*create, "--suggest-from", "0")
        backend.wildloop("publish")
        with backend.database.read() as conn:
            [backend.project] = [project.id for project in projects.all(conn)]
        backend.tasks = installation.client.task_ids(backend.project)
        yield backend
    backend.database.dispose()


def test_whatever_people_do_is_in_the_oracle_at_once(here: Backend) -> None:
    first, second, third, fourth, fifth = (here.tasks.pop() for _ in range(5))
    changed = here.annotate(first, "deer")
    here.change(changed, "fox")
    gone = here.annotate(second, "deer")
    here.delete(f"api/annotations/{gone}/")
    here.annotate(second, "unsure")
    here.annotate(third, None, was_cancelled=True)
    here.annotate(fourth, "empty", ground_truth=True)
    here.annotate(fourth, "fox")
    here.annotate(fifth, "Snow Leopard")
    assert here.oracle_says() == here.label_studio_says()
    assert len(here.oracle_says()) == 6
    assert "0 changes recorded" in here.wildloop("sync")


def test_a_board_is_a_row_for_each_crop_can_be_corrected_and_is_taken_back_whole(here: Backend) -> None:
    with here.database.read() as conn:
        deer = categories.numbers(conn)["deer"]
        asked = tasks.get(conn, here.project, [here.tasks.pop() for _ in range(4)])
    crops = tuple(record.detections[0] for record in asked.values())
    planned = PlannedTask(
        kind=TaskKind.BOARD,
        purpose=Purpose.QUEUE,
        detections=crops,
        score=0.5,
        suggested=deer,
        probability=0.9,
    )
    [board] = ask(here.installation.workspace, here.installation.client, here.project, [planned])
    kept = chose("all_suggested_0", "deer")

    def says() -> dict[str, str]:
        with here.database.read() as conn:
            names, histories = categories.names(conn), oracle.histories(conn, crops)
        current = {crop: current_label(history) for crop, history in histories.items()}
        return {
            crop: str(label.verdict) if label.label is None else names[label.label]
            for crop, label in current.items()
            if label.verdict is not None
        }

    body = {"result": [kept, chose("struck_0", crops[1])], "lead_time": 8.0}
    made = here.api.send("answering", "POST", f"api/tasks/{board.task_id}/annotations/", body)
    assert says() == {crops[0]: "deer", crops[1]: "struck", crops[2]: "deer", crops[3]: "deer"}
    corrected = [kept, chose("struck_0", crops[1], crops[2]), chose("struck_species_0", "fox")]
    here.api.send("correcting", "PATCH", f"api/annotations/{made['id']}/", {"result": corrected})
    assert says() == {crops[0]: "deer", crops[1]: "fox", crops[2]: "fox", crops[3]: "deer"}
    here.stop()
    here.api.send("correcting", "PATCH", f"api/annotations/{made['id']}/", {"result": [kept]})
    assert "2 changes recorded" in here.wildloop("sync")
    assert "0 changes recorded" in here.wildloop("sync", "--full")
    assert set(says().values()) == {"deer"}
    here.serve()
    told = here.wildloop("withdraw", "--task", str(board.task_id))
    assert "1 annotation of 1 task with 4 crops" in told
    assert f"annotations by annotator: {here.installation.client.whoami()['email']} (1)" in told
    assert len(says()) == 4
    here.wildloop("withdraw", "--task", str(board.task_id), "--yes")
    assert says() == {}
    assert here.api.get("reading the board", f"api/tasks/{board.task_id}/")["annotations"] == []
    assert "0 changes recorded" in here.wildloop("sync")
    here.api.send("answering", "POST", f"api/tasks/{board.task_id}/annotations/", body)
    assert says()[crops[0]] == "deer"
    here.wildloop("withdraw", "--task", str(board.task_id), "--yes")


def test_a_restart_between_two_labels_loses_neither(here: Backend) -> None:
    here.annotate(here.tasks.pop(), "deer")
    here.stop()
    here.serve()
    here.annotate(here.tasks.pop(), "fox")
    assert here.oracle_says() == here.label_studio_says()


def test_ten_labels_made_while_the_backend_is_down_are_brought_in_by_sync(here: Backend) -> None:
    kept = here.annotate(here.tasks.pop(), "deer")
    doomed = here.annotate(here.tasks.pop(), "deer")
    here.stop()
    try:
        for number in range(10):
            here.annotate(here.tasks.pop(), SPECIES[number % 2])
        here.change(kept, "fox")
        here.delete(f"api/annotations/{doomed}/")
        here.annotate(here.tasks.pop(), None, was_cancelled=True)
        lost = here.tasks.pop()
        here.annotate(lost, "deer")
        here.delete(f"api/tasks/{lost}/")
        assert here.oracle_says() != here.label_studio_says()
        said = here.wildloop("sync")
        assert here.oracle_says() == here.label_studio_says()
        assert "13 changes recorded" in said
        assert "1  task deleted in Label Studio" in said
        assert "0 changes recorded" in here.wildloop("sync", "--full")
    finally:
        here.serve()


def test_deleting_in_bulk_is_heard_too(here: Backend) -> None:
    chosen = [here.tasks.pop() for _ in range(3)]
    for task in chosen:
        here.annotate(task, "fox")
    body = {"selectedItems": {"all": False, "included": chosen}}
    params = {"id": "delete_tasks_annotations", "project": here.project}
    here.api.send("deleting annotations in bulk", "POST", "api/dm/actions", body, params)
    assert here.oracle_says() == here.label_studio_says()


def test_predictions_are_there_right_after_a_restart_and_within_milliseconds(here: Backend) -> None:
    while len([one for one in here.oracle_says().values() if one[1] is Verdict.LABEL]) < 24:
        task = here.tasks.pop()
        here.annotate(task, species_of(here, task))
    assert "trained" in here.wildloop("train")
    with here.database.read() as conn:
        version = projects.get(conn, here.project).current_model
        asked_now = tasks.open_tasks(conn, here.project)
    here.tasks = [task.task_id for task in asked_now if task.model_version == version]
    here.stop()
    here.serve()
    asked = [here.api.get("reading a task", f"api/tasks/{task}/") for task in here.tasks]
    body: dict[str, Any] = {
        "tasks": asked,
        "project": f"{here.project}.1700000000",
        "label_config": None,
        "params": {},
    }
    first = here.ask("/predict", body)
    assert [answer["model_version"] for answer in first["results"]] == [version] * len(asked)
    without = {
        task for task, answer in zip(here.tasks, first["results"], strict=True) if not answer["result"]
    }
    audited, novel = audited_and_novel(here)
    assert audited
    assert without == audited | novel
    assert without < set(here.tasks)
    one = body | {"tasks": asked[:1]}
    before = processor_seconds(here.installation.folder)
    for _ in range(50):
        here.ask("/predict", one)
    assert processor_seconds(here.installation.folder) - before < 50 * 0.1


def test_label_studio_gets_predictions_for_the_tasks_that_were_not_pushed(here: Backend) -> None:
    audited, novel = audited_and_novel(here)
    ordinary = [task for task in here.tasks if task not in audited | novel]
    chosen = [*sorted(audited)[:2], *ordinary[:6]]
    body = {"selectedItems": {"all": False, "included": chosen}}
    for action in ("delete_tasks_predictions", "retrieve_tasks_predictions"):
        here.api.send(action, "POST", "api/dm/actions", body, {"id": action, "project": here.project})
    for task in chosen:
        told = here.api.get("reading a task", f"api/tasks/{task}/")
        [stored] = told["predictions"]
        [answer] = here.ask("/predict", {"tasks": [told], "project": f"{here.project}.17"})["results"]
        assert stored["model_version"] == answer["model_version"]
        assert answered(stored["result"]) == answered(answer["result"])
        assert (stored["result"] == []) == (task in audited), told["data"]["single"]
        if stored["result"]:
            assert stored["result"][0]["score"] == pytest.approx(answer["result"][0]["score"])
        assert stored["score"] == pytest.approx(answer["score"])


def test_the_train_button_asks_for_a_training(here: Backend) -> None:
    [backend] = here.api.get("listing the backends", "api/ml", {"project": here.project})
    here.api.send("pressing Train", "POST", f"api/ml/{backend['id']}/train", {})
    with here.database.read() as conn:
        query = sa.select(run.c.trigger, run.c.state).where(run.c.trigger == "button")
        assert [tuple(row) for row in conn.execute(query)] == [("button", "queued")]


def test_a_photograph_that_reached_label_studio_without_us_is_predicted_and_its_label_kept(
    here: Backend,
) -> None:
    folder = partial(SimpleHTTPRequestHandler, directory=here.installation.folder / "photographs")
    with ThreadingHTTPServer(("127.0.0.1", 0), folder) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        like = here.api.get("reading a task", f"api/tasks/{here.tasks[0]}/")["data"]
        photograph = f"http://127.0.0.1:{elsewhere.server_port}/fox-01.jpg"
        suggested = [{"value": word} for word in SPECIES]
        alone = like["single"][0] | {"url": photograph, "suggested": suggested}
        data = like | {"detections": [], "single": [alone]}
        [number] = here.installation.client.import_tasks(here.project, [data])
        task = here.api.get("reading the new task", f"api/tasks/{number}/")
        [answer] = here.ask("/predict", {"tasks": [task], "project": f"{here.project}.17"})["results"]
        elsewhere.shutdown()
    assert answered(answer["result"])[1] in SPECIES, here.log()
    here.annotate(number, "fox")
    assert here.oracle_says() == here.label_studio_says()


def test_files_of_label_studio_come_with_the_token_and_a_limit(here: Backend) -> None:
    crop = here.api.get("reading a task", f"api/tasks/{here.tasks[0]}/")["data"]["picture"]
    client = here.installation.client
    content = client.content(crop)
    assert content.startswith(b"\xff\xd8")
    with pytest.raises(LabelStudioError, match="larger than 100 bytes"):
        client.content(crop, limit=100)
    with pytest.raises(LabelStudioError, match="404"):
        client.content(crop + "x")


def species_of(here: Backend, task: int) -> str:
    with here.database.read() as conn:
        [crop] = tasks.get(conn, here.project, [task])[task].detections
        return detections.file_names(conn, [crop])[crop].rsplit("/", 1)[-1].split("-")[0]


def audited_and_novel(here: Backend) -> tuple[set[int], set[int]]:
    """Unused tasks to be labelled without being told: drawn for the audit, or unlike all that is labelled."""
    with here.database.read() as conn:
        version = projects.get(conn, here.project).current_model
        assert version is not None
        sample = audits.sample(conn, here.project)
        novel = [one.detection_id for one in predictions.queue(conn, version) if one.novel]
        task_of = tasks.by_detection(conn, here.project, {*sample.requested, *sample.waiting, *novel})
    unused = set(here.tasks)
    audited = {task_of[one] for one in (*sample.requested, *sample.waiting)} & unused
    return audited, ({task_of[one] for one in novel} & unused) - audited
