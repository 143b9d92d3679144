"""A label that looks wrong, put before people again on a real Label Studio."""

from __future__ import annotations

import json

from pipeline.crops import write_jpeg
from pipeline.records import WHOLE_FRAME, DetectionRecord, ImageRecord, PredictionRecord, TaskRecord
from pipeline.store import categories, oracle, reviews
from tests.acceptance.conftest import Installation
from tests.acceptance.published import PublishedProject
from tests.helpers import photographs

SPECIES = ("deer", "fox")
LABELLED, WAITING = 60, 4
MISTAKEN = (4, 7, 22, 28, 31, 33, 41, 50)  # few mistakes accuse nobody


def crop(number: int) -> str:
    return f"d{number:02}"


def truth(number: int) -> str:
    return SPECIES[number % 2]


class Forest(PublishedProject):
    """Crops of two species, embedded, and all but the last few labelled."""

    def __init__(self, installation: Installation) -> None:
        numbers = range(LABELLED + WAITING)
        write_jpeg(photographs.scene(64, 64, seed=1), installation.workspace.data_dir / "crops/a.jpg", 80)
        super().__init__(
            installation,
            SPECIES,
            [ImageRecord(id=f"i{one}", file_name=f"{one}.jpg", path=f"{one}.jpg") for one in numbers],
            [self._detection(one) for one in numbers],
        )
        self.embed()
        for one in range(LABELLED):
            self.annotate(self.task_of[crop(one)], truth(one + (one in MISTAKEN)))

    def activate(self, version: str) -> None:
        """A version whose queue is the crops that nobody has labelled."""
        queue = [
            PredictionRecord(
                detection_id=crop(LABELLED + rank), rank=rank, score=rank / 10, category_id=1, probability=0.9
            )
            for rank in range(WAITING)
        ]
        self.activate_version(version, queue)
        self.top_up()

    def label(self, number: int) -> str | None:
        with self.database.read() as conn:
            found = oracle.labels(conn).get(crop(number))
            return None if found is None else categories.names(conn)[found]

    def unanswered(self) -> list[TaskRecord]:
        with self.database.read() as conn:
            return reviews.unanswered(conn, self.id)

    def _detection(self, number: int) -> DetectionRecord:
        return DetectionRecord(
            id=crop(number),
            image_id=f"i{number}",
            box=WHOLE_FRAME,
            bbox_confidence=0.9,
            detector="t",
            crop_path="crops/a.jpg",
        )


def test_a_mislabelled_crop_comes_back_first_and_its_new_label_counts(installation: Installation) -> None:
    forest = Forest(installation)
    forest.activate("v1")
    installation.wildloop("sync")
    found = json.loads(installation.wildloop("review", "--json"))["suspects"]
    suspects = [int(one["detection_id"].removeprefix("d")) for one in found]
    assert suspects
    assert set(suspects) <= set(MISTAKEN)
    worst = suspects[0]
    assert forest.label(worst) == truth(worst + 1)
    assert forest.unanswered() == []  # nothing was changed
    labelled_on = forest.task_of[crop(worst)]

    said = installation.wildloop("review", "--push", "--limit", "1")
    assert "1 label put before people again, in 1 task; 1 waiting now" in said
    served = forest.next_task()
    assert served["data"]["detections"] == [crop(worst)]
    assert served["id"] != labelled_on
    assert [one["result"] for one in served["predictions"]] == [[]]

    forest.activate("v2")
    again = forest.next_task()
    assert again["data"]["detections"] == [crop(worst)]
    assert {one["model_version"] for one in again["predictions"]} == {"v2"}

    said = installation.wildloop("review", "--push", "--limit", "1")
    assert "0 labels put before people again, in 0 tasks; 1 waiting now" in said
    assert len(forest.unanswered()) == 1

    forest.annotate(again["id"], truth(worst))
    assert "1 change recorded" in installation.wildloop("sync")
    assert forest.label(worst) == truth(worst)
    assert forest.unanswered() == []
    assert crop(worst) not in installation.wildloop("review")
    assert forest.next_task()["data"]["detections"] == [crop(LABELLED)]
