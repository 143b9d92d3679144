"""A label that looks wrong, put before people again on a real Label Studio."""

from __future__ import annotations

from pipeline.crops import write_jpeg
from pipeline.records import WHOLE_FRAME, DetectionRecord, ImageRecord, PredictionRecord
from pipeline.store import categories, oracle, reviews
from tests.acceptance.conftest import Installation
from tests.acceptance.published import PublishedProject
from tests.helpers import photographs

SPECIES = ("deer", "fox")
LABELLED, WAITING = 90, 4
MISTAKEN = 7


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
            self.annotate(self.task_of[crop(one)], truth(one) if one != MISTAKEN else truth(one + 1))

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
    assert forest.label(MISTAKEN) == truth(MISTAKEN + 1)

    said = installation.wildloop("review")
    assert f"1 of {LABELLED} labels listed; about 1 of them are expected to be wrong" in said
    assert crop(MISTAKEN) in said
    before = forest.client.task_ids(forest.id)
    first = forest.task_of[crop(MISTAKEN)]

    said = installation.wildloop("review", "--push")
    assert "1 label queued for a second look; 1 waiting now" in said
    served = forest.next_task()
    assert served["data"]["detections"][0] == crop(MISTAKEN)
    assert served["id"] != forest.task_of[crop(MISTAKEN)]
    assert [one["result"] for one in served["predictions"]] == [[]]

    forest.activate("v2")
    again = forest.next_task()
    assert again["id"] == served["id"]
    assert {one["model_version"] for one in again["predictions"]} == {"v2"}

    said = installation.wildloop("review", "--push")
    assert "0 labels queued for a second look; 1 waiting now" in said
    assert "new tasks" not in installation.wildloop("publish")
    assert len(forest.client.task_ids(forest.id)) == LABELLED + WAITING + 1

    forest.annotate(served["id"], truth(MISTAKEN))
    assert "1 change recorded" in installation.wildloop("sync")
    assert forest.label(MISTAKEN) == truth(MISTAKEN)
    with forest.database.read() as conn:
        assert reviews.unanswered(conn, forest.id) == []
    assert "0 of 30 labels look wrong" in installation.wildloop("review")
    assert forest.next_task()["data"]["detections"][0] == crop(LABELLED)
