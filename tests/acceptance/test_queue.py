"""The queue on a real Label Studio: its order, its replacement, and the screen that people work on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.images import write_jpeg
from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.results import choice_result, read_verdict
from pipeline.records import (
    Box,
    DetectionRecord,
    ImageRecord,
    ModelRecord,
    PredictionRecord,
    Verdict,
    utc_now,
)
from pipeline.steps.create_project import create_project
from pipeline.steps.publish import publish
from pipeline.steps.push import PushReport, push
from pipeline.store import categories, detections, images, models, tasks
from tests import photographs
from tests.acceptance.conftest import Installation

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

SPECIES = ("badger", "deer", "fox", "hare", "lynx", "owl", "pig", "rat", "wolf", "wren", "yak")
BOX = Box(x1=0.3, y1=0.3, x2=0.7, y2=0.8)


class Park:
    """A project of sixteen published crops, without an ML backend."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.database, self.client = installation.house.database, installation.client
        settings = installation.house.settings
        project, _ = create_project(
            self.database,
            self.client,
            settings,
            title=installation.folder.name,
            species=SPECIES,
            embedder_id="e",
            connect_backend=False,
        )
        self.id = project.id
        self.ids = [f"d{number:02}" for number in range(16)]
        with self.database.write() as conn:
            images.add(conn, [self._image(number) for number in range(16)])
            detections.add(conn, [self._detection(number, settings.data_dir) for number in range(16)])
        publish(self.database, self.client, self.id, ServedFiles.of(settings))
        with self.database.read() as conn:
            self.task_of = tasks.by_detection(conn, self.id, self.ids)
            self.categories = {name: number for number, name in categories.names(conn).items()}

    def activate(self, version: str, queue: Sequence[str], answers: Sequence[str | None]) -> None:
        """Make `queue`, with an answer for each (None: no head), that of `version`."""
        record = ModelRecord(
            version=version,
            project_id=self.id,
            embedder="e",
            digest=version,
            labels=0,
            path=None,
            created_at=utc_now(),
        )
        rows = [
            PredictionRecord(
                detection_id=one,
                rank=rank,
                score=rank / len(queue),
                category_id=None if answer is None else self.categories[answer],
                probability=None if answer is None else 0.8,
            )
            for rank, (one, answer) in enumerate(zip(queue, answers, strict=True))
        ]
        with self.database.write() as conn:
            models.activate(conn, record, rows)

    def push(self, **options: Any) -> PushReport:
        return push(self.database, self.client, self.id, **options)

    def next_task(self) -> dict[str, Any]:
        """What the label stream serves this account now."""
        answer: dict[str, Any] = self.client._connection.get("next", f"api/projects/{self.id}/next")
        return answer

    def label(self, task: dict[str, Any], choice: str) -> None:
        """Submit as the screen does: naming the prediction that the answer started from."""
        body: dict[str, Any] = {"result": choice_result(choice, None)}
        if task["predictions"]:
            body["parent_prediction"] = task["predictions"][0]["id"]
        self.client._connection.send("label", "POST", f"api/tasks/{task['id']}/annotations/", body)

    def labels(self) -> dict[str, tuple[Verdict, str | None]]:
        """What was submitted, by detection."""
        return {
            task["data"]["detection_id"]: read_verdict(annotation["result"], annotation["was_cancelled"])
            for task in self.client.tasks_updated_since(self.id, None)
            for annotation in task["annotations"]
        }

    def _image(self, number: int) -> ImageRecord:
        return ImageRecord(
            id=f"i{number}",
            file_name=f"north/photo{number:02}.jpg",
            path=f"/north/photo{number:02}.jpg",
            location="North ridge",
            datetime=dt.datetime(2024, 6, 3, 5, number),
        )

    def _detection(self, number: int, data_dir: Path) -> DetectionRecord:
        crop, frame = f"crops/aa/d{number:02}.jpg", f"frames/aa/d{number:02}.jpg"
        write_jpeg(photographs.scene(224, 224, seed=number), data_dir / crop, 90)
        write_jpeg(photographs.scene(640, 480, seed=number), data_dir / frame, 80)
        return DetectionRecord(
            id=f"d{number:02}",
            image_id=f"i{number}",
            box=BOX,
            bbox_confidence=0.9,
            detector="t",
            crop_path=crop,
            frame_path=frame,
        )


@pytest.fixture
def park(installation: Installation) -> Park:
    return Park(installation)


def test_tasks_are_served_in_the_order_of_the_queue_even_without_answers(park: Park) -> None:
    queue = ["d11", "d03", "d07", "d00"]
    park.activate("v0", queue, [None] * 4)
    park.push()
    served = []
    for _ in queue:
        task = park.next_task()
        served.append(task["data"]["detection_id"])
        assert [each["result"] for each in task["predictions"]] == [[]]
        park.label(task, "fox")
    assert served == queue


def test_a_new_version_takes_the_queue_over_while_an_open_task_can_still_be_submitted(park: Park) -> None:
    park.activate("v1", ["d05", "d02", "d09"], ["deer", "fox", "hare"])
    park.push()
    open_task = park.next_task()
    assert open_task["data"]["detection_id"] == "d05"

    park.activate("v2", ["d02", "d05", "d14"], ["lynx", "lynx", "owl"])
    assert park.push().pushed == 3
    park.label(open_task, "deer")  # Label Studio refuses this where the prediction is gone

    served = park.next_task()
    assert served["data"]["detection_id"] == "d02"
    assert [each["model_version"] for each in served["predictions"]] == ["v2"]
    assert park.push().pushed == 0

    assert park.push(open_task=dt.timedelta(0)).removed == 3
    of_task = park.client.task(park.task_of["d09"])["predictions"]
    assert [each["model_version"] for each in of_task] == []
    assert set(park.client.prediction_versions(park.id)) == {"v2"}


def test_ten_crops_are_labelled_by_hotkey_in_the_order_of_the_queue_with_its_answers_chosen(
    park: Park, page: Page
) -> None:
    queue = park.ids[10::-1]
    answers = [SPECIES[number % 5] for number in range(len(queue))]
    park.activate("v1", queue, answers)
    park.push()

    wishes = ["badger", "deer", "owl", "empty", "unsure", "badger", "wren", "fox", "hare", "yak"]
    keys = {"owl": "6", "wren": "q", "yak": "w", "empty": "0", "unsure": "-"}
    stream = Stream(page, park)
    shown = stream.open()
    for turn, wish in enumerate(wishes):
        assert shown == queue[turn]
        assert stream.chosen() == [answers[turn]]
        if wish != answers[turn]:
            page.keyboard.press(keys[wish])
            assert stream.chosen() == [wish]
        if turn == 9:  # a new version comes while the tenth crop is open
            park.activate("v2", ["d15", "d13", "d00"], ["wolf", "rat", "pig"])
            park.push()
        shown = stream.submit()

    assert shown == "d15"  # of lowest score among the current version's
    assert stream.chosen() == ["wolf"]
    given = dict(zip(queue, wishes, strict=False))
    assert park.labels() == {
        one: (Verdict.UNSURE, None) if wish == "unsure" else (Verdict.LABEL, wish)
        for one, wish in given.items()
    }


def test_the_screen_shows_crop_photo_facts_and_every_choice_without_scrolling(park: Park, page: Page) -> None:
    park.activate("v0", ["d04"], [None])
    park.push()
    stream = Stream(page, park)
    assert stream.open() == "d04"
    assert stream.chosen() == []  # nothing is pre-selected where the version has no head

    page.wait_for_function("document.querySelectorAll('.lsf-image img').length == 2")
    crop = page.locator(".wildloop .crop .lsf-image").bounding_box()
    frame = page.locator(".wildloop .frame .lsf-image").bounding_box()
    assert crop is not None
    assert frame is not None
    assert crop["width"] > 550
    assert frame["x"] > crop["x"] + crop["width"]
    facts = page.inner_text(".wildloop .facts")
    assert [fact.strip() for fact in facts.splitlines() if fact.strip()] == [
        "North ridge",
        "2024-06-03 05:04:00",
        "north/photo04.jpg",
    ]
    choices = page.locator(".wildloop .lsf-choice")
    assert choices.count() == len(SPECIES) + 2
    last = choices.last.bounding_box()
    assert last is not None
    assert last["y"] + last["height"] < 850  # above the bar with the Submit button
    assert "[1]" in choices.first.inner_text()


def test_a_crop_without_a_choice_is_not_submitted(park: Park, page: Page) -> None:
    park.activate("v1", ["d04", "d05"], ["fox", "deer"])
    park.push()
    stream = Stream(page, park)
    stream.open()
    page.keyboard.press("3")  # the key of what is chosen takes it back
    assert stream.chosen() == []
    page.keyboard.press("Control+Enter")
    page.get_by_text("Choose a species, empty or unsure").wait_for()
    assert park.labels() == {}


class Stream:
    """The label stream in a browser."""

    def __init__(self, page: Page, park: Park) -> None:
        self._page, self._park = page, park

    def open(self) -> str:
        """Press "Label All Tasks"; returns the detection that is shown first."""
        self._page.goto(f"{self._park.client.url}/projects/{self._park.id}/data")
        button = self._page.get_by_role("button", name="Label All Tasks")
        button.wait_for(timeout=120_000)
        return self._after(button.click)

    def submit(self) -> str:
        """Submit by hotkey; returns the detection that is shown next."""
        return self._after(lambda: self._page.keyboard.press("Control+Enter"))

    def chosen(self) -> list[str]:
        """The names of the chosen choices."""
        names: list[str] = self._page.evaluate(
            "[...document.querySelectorAll('.ant-radio-wrapper-checked input')].map(one => one.name)"
        )
        return names

    def _after(self, act: Any) -> str:
        def serves(response: Response) -> bool:
            return "id=next_task" in response.url

        with self._page.expect_response(serves, timeout=120_000) as answer:
            act()
        task = answer.value.json()
        self._page.wait_for_function(
            "id => document.querySelector('.lsf-current-task')?.innerText.startsWith(id)",
            arg=str(task["id"]),
            timeout=60_000,
        )
        self._page.wait_for_selector(".wildloop .lsf-choice", timeout=60_000)
        self._page.wait_for_timeout(300)  # hotkeys are bound a moment after the choices are drawn
        detection: str = task["data"]["detection_id"]
        return detection
