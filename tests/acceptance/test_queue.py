"""The queue on a real Label Studio: its order, its replacement, and the screen that people work on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.crops import write_jpeg
from pipeline.records import (
    Box,
    DetectionRecord,
    ImageRecord,
    PredictionRecord,
    Verdict,
)
from pipeline.store import audits, oracle, predictions, projects
from tests.acceptance.conftest import Installation
from tests.acceptance.published import PublishedProject
from tests.helpers import photographs
from tests.helpers.label_stream import Stream
from tests.helpers.results import answered

if TYPE_CHECKING:
    from playwright.sync_api import Page

SPECIES = ("badger", "deer", "fox", "hare", "lynx", "owl", "pig", "rat", "wolf", "wren", "yak")
BOX = Box(x1=0.3, y1=0.3, x2=0.7, y2=0.8)


class Park(PublishedProject):
    """Sixteen crops, unless a test asks for more."""

    def __init__(self, installation: Installation, crops: int = 16) -> None:
        data_dir = installation.workspace.data_dir
        numbers = range(crops)
        super().__init__(
            installation,
            SPECIES,
            [self._image(number) for number in numbers],
            [self._detection(number, data_dir) for number in numbers],
        )

    def activate(self, version: str, queue: Sequence[str], answers: Sequence[str | None]) -> None:
        """Make `queue`, with an answer for each (None: no head), that of `version`."""
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
        self.activate_version(version, rows)

    def label(self, task: dict[str, Any], choice: str) -> None:
        """Submit as the screen does: naming the prediction that the answer started from."""
        shown = task["predictions"]
        self.annotate(task["id"], choice, **({"parent_prediction": shown[0]["id"]} if shown else {}))

    def learn(self, count: int) -> None:
        """Embed every crop, label as many as the stream serves first, and train."""
        self.embed()
        self.installation.wildloop("train")  # the order before any label
        for _ in range(count):
            task = self.next_task()
            self.label(task, SPECIES[int(task["data"]["detections"][0][1:]) % 2])
        self.installation.wildloop("sync")
        assert "trained" in self.installation.wildloop("train")

    def queue(self) -> dict[str, str | None]:
        """The current version's queue in its order: what it says of each crop."""
        names = {number: name for name, number in self.categories.items()}
        with self.database.read() as conn:
            version = projects.get(conn, self.id).current_model
            assert version is not None
            return {
                one.detection_id: None if one.category_id is None else names[one.category_id]
                for one in predictions.queue(conn, version)
            }

    def audit(self) -> audits.AuditSample:
        with self.database.read() as conn:
            return audits.sample(conn, self.id)

    def labels(self) -> dict[str, tuple[Verdict, str | None]]:
        """What was submitted, by detection."""
        return {
            task["data"]["detections"][0]: answered(annotation["result"], annotation["was_cancelled"])
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
    park.top_up()
    served = []
    for _ in queue:
        task = park.next_task()
        served.append(task["data"]["detections"][0])
        assert [each["result"] for each in task["predictions"]] == [[]]
        park.label(task, "fox")
    assert served == queue


def test_a_new_version_takes_the_queue_over_while_an_open_task_can_still_be_submitted(park: Park) -> None:
    park.activate("v1", ["d05", "d02", "d09"], ["deer", "fox", "hare"])
    park.top_up()
    open_task = park.next_task()
    assert open_task["data"]["detections"][0] == "d05"

    park.activate("v2", ["d02", "d05", "d14"], ["lynx", "lynx", "owl"])
    assert park.top_up().asked == 3
    park.label(open_task, "deer")  # Label Studio refuses this where the prediction is gone
    park.installation.wildloop("sync")

    served = park.next_task()
    assert served["data"]["detections"][0] == "d02"
    assert [each["model_version"] for each in served["predictions"]] == ["v2"]
    again = park.top_up()
    assert (again.asked, again.parked) == (0, 1)  # the later task of the crop that is answered
    parked = len(park.client.task_ids(park.id))
    gone = park.top_up(grace=dt.timedelta(0)).deleted
    assert gone == 6  # of d02, d05, d09 and d14 before the versions, of d02 by v1, and of d05 by v2
    assert len(park.client.task_ids(park.id)) == parked - gone
    park.installation.wildloop("sync")
    assert park.labels() == {"d05": (Verdict.LABEL, "deer")}


def test_ten_crops_are_labelled_by_hotkey_in_the_order_of_the_queue_with_its_answers_chosen(
    park: Park, page: Page
) -> None:
    queue = park.ids[10::-1]
    answers = [SPECIES[number % 5] for number in range(len(queue))]
    park.activate("v1", queue, answers)
    park.top_up()

    wishes = ["badger", "deer", "owl", "empty", "unsure", "badger", "wren", "fox", "hare", "yak"]
    keys = {"owl": "a", "wren": "z", "yak": "x", "empty": "0", "unsure": "-", "hare": "1"}
    stream = Stream(page, park.client.url, park.id)
    shown = stream.open()
    for turn, wish in enumerate(wishes):
        assert shown == queue[turn]
        assert stream.chosen() == [answers[turn]]
        if wish in keys:  # the suggestion is kept without one, and has the first digit
            page.keyboard.press(keys[wish])
            assert stream.chosen() == [wish]
        if turn == 9:  # a new version comes while the tenth crop is open
            park.activate("v2", ["d15", "d13", "d00"], ["wolf", "rat", "pig"])
            park.top_up()
        shown = stream.submit()

    assert shown == "d15"  # of lowest score among the current version's
    assert stream.chosen() == ["wolf"]
    given = dict(zip(queue, wishes, strict=False))
    assert park.labels() == {
        one: (Verdict.UNSURE, None) if wish == "unsure" else (Verdict.LABEL, wish)
        for one, wish in given.items()
    }


def test_audit_crops_that_are_asked_for_come_before_the_queue_and_no_version_learns_from_them(
    installation: Installation,
) -> None:
    park = Park(installation, crops=24)
    park.learn(10)
    (tenth,) = park.audit().labelled  # every tenth crop of a queue is one anyway
    before = park.queue()
    assert tenth not in before

    said = installation.wildloop("audit", "--size", "3")
    assert "3 audit crops drawn; they are first in the queue" in said
    assert "judged by 1 audit label (4 audit crops still to be labelled)" in said
    asked = park.audit().requested
    assert len(asked) == 3

    queue = park.queue()
    assert set(queue) == set(before)
    served = []
    for _ in asked:
        task = park.next_task()
        served.append(task["data"]["detections"][0])
        assert [each["result"] for each in task["predictions"]] == [[]]
        park.label(task, SPECIES[int(served[-1][1:]) % 2])
    assert served == list(queue)[:3]
    assert set(served) == set(asked)
    task = park.next_task()
    fourth = list(queue)[3]
    assert task["data"]["detections"][0] == fourth
    assert [answered(each["result"])[1] for each in task["predictions"]] == [queue[fourth]]

    installation.wildloop("sync")
    assert "is unchanged: no new labels" in installation.wildloop("train")
    assert "judged by 4 audit labels (1 audit crop still to be labelled)" in installation.wildloop("audit")


def test_an_audit_crop_has_no_species_chosen_and_the_next_of_the_queue_the_predicted_one(
    installation: Installation, page: Page
) -> None:
    park = Park(installation, crops=24)
    park.learn(10)
    installation.wildloop("audit", "--size", "1")
    (asked,) = park.audit().requested
    (tenth,) = park.audit().waiting
    queue = park.queue()
    assert next(iter(queue)) == asked
    answered = [one for one, answer in queue.items() if answer is not None]
    assert set(queue) - set(answered) == {asked, tenth}  # too few labels to tell what is novel

    stream = Stream(page, park.client.url, park.id)
    assert stream.open() == asked
    assert stream.chosen() == []
    page.keyboard.press("2")
    assert stream.chosen() == [SPECIES[1]]
    shown = stream.submit()
    assert shown == answered[0]
    assert stream.chosen() == [queue[shown]]

    for one in (tenth, answered[-1], answered[1]):
        stream.view(park.task_of[one])
        assert stream.chosen() == ([] if one == tenth else [queue[one]])


def test_the_screen_shows_crop_photo_facts_and_every_choice_without_scrolling(park: Park, page: Page) -> None:
    park.activate("v0", ["d04"], [None])
    park.top_up()
    stream = Stream(page, park.client.url, park.id)
    assert stream.open() == "d04"
    assert stream.chosen() == []  # nothing is pre-selected where the version has no head

    assert min(stream.pictures()) > 0
    crop = page.locator(".wildloop .stage .lsf-object").bounding_box()
    frame = page.locator(".wildloop .frame img").bounding_box()
    assert crop is not None
    assert frame is not None
    assert crop["width"] > 550
    assert frame["x"] >= crop["x"] + crop["width"]
    head = page.locator(".wildloop .head > *").all_inner_texts()
    assert head == ["North ridge", "2024-06-03 05:04", "day", "v0"]
    choices = page.locator(".wildloop .species .lsf-choice:visible")
    always = ["person", "vehicle", "empty", "unsure", "another species"]
    assert set(stream.offered()) >= {*SPECIES, *always}
    assert choices.count() == len(SPECIES) + len(always)
    last = choices.last.bounding_box()
    assert last is not None
    assert last["y"] + last["height"] < 850  # above the bar with the Submit button
    assert choices.first.inner_text().split() == ["1", "badger", "q"]


def test_a_crop_submitted_without_a_choice_gets_no_label_and_comes_back(park: Park, page: Page) -> None:
    park.activate("v1", ["d04", "d05"], [None, "deer"])
    park.top_up()
    stream = Stream(page, park.client.url, park.id)
    assert stream.open() == "d04"
    page.keyboard.press("e", delay=50)
    assert stream.chosen() == ["fox"]
    page.keyboard.press("e", delay=50)  # the same key again takes it back
    assert stream.chosen() == []
    assert stream.submit() == "d05"
    park.installation.wildloop("sync")
    with park.database.read() as conn:
        assert oracle.label_count(conn) == 0
    assert park.labels() == {"d04": (Verdict.SKIPPED, None)}
    park.top_up()
    waiting = park.client.tasks_in_stream(park.id)
    assert "d04" in {park.client.task(task)["data"]["detections"][0] for task in waiting}
