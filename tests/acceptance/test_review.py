"""A label that looks wrong, put before people again on a real Label Studio."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.images import write_jpeg
from pipeline.label_studio.results import choice_result
from pipeline.records import WHOLE_FRAME, DetectionRecord, ImageRecord, ModelRecord, PredictionRecord, utc_now
from pipeline.steps.labelling.project import create_project
from pipeline.steps.labelling.publish import publish
from pipeline.steps.labelling.push import push
from pipeline.store import categories, detections, embeddings, images, models, oracle, reviews, tasks
from tests.acceptance.conftest import Installation
from tests.helpers import photographs
from tests.helpers.labelled_workspace import Embedder

SPECIES = ("deer", "fox")
LABELLED, WAITING = 30, 4
MISTAKEN = 7


def crop(number: int) -> str:
    return f"d{number:02}"


def truth(number: int) -> str:
    return SPECIES[number % 2]


class Forest:
    """A project of crops of two species, published, embedded, and all but the last few labelled."""

    def __init__(self, installation: Installation) -> None:
        self.workspace, self.client = installation.workspace, installation.client
        self.database = self.workspace.database
        project, _ = create_project(
            self.workspace,
            self.client,
            title=installation.folder.name,
            species=SPECIES,
            embedder_id=Embedder().id,
            connect_backend=False,
        )
        self.id = project.id
        numbers = range(LABELLED + WAITING)
        rng = np.random.default_rng(0)
        vectors = [5 * np.eye(8)[number % 2] + rng.normal(size=8) for number in numbers]
        write_jpeg(photographs.scene(64, 64, seed=1), self.workspace.data_dir / "crops/a.jpg", 80)
        with self.database.write() as conn:
            images.add(
                conn,
                [ImageRecord(id=f"i{one}", file_name=f"{one}.jpg", path=f"{one}.jpg") for one in numbers],
            )
            detections.add(conn, [self._detection(one) for one in numbers])
            embeddings.register(conn, Embedder())
            embeddings.append(conn, Embedder().id, [crop(one) for one in numbers], np.array(vectors))
        publish(self.workspace, self.client, self.id)
        with self.database.read() as conn:
            self.task_of = tasks.by_detection(conn, self.id, map(crop, numbers))
        for one in range(LABELLED):
            self.annotate(self.task_of[crop(one)], truth(one) if one != MISTAKEN else truth(one + 1))

    def annotate(self, task: int, choice: str) -> None:
        body = {"result": choice_result(choice, None)}
        self.client._connection.send("label", "POST", f"api/tasks/{task}/annotations/", body)

    def activate(self, version: str) -> None:
        """A version whose queue is the crops that nobody has labelled."""
        record = ModelRecord(
            version=version,
            project_id=self.id,
            embedder=Embedder().id,
            digest=version,
            labels=0,
            path=None,
            created_at=utc_now(),
        )
        queue = [
            PredictionRecord(
                detection_id=crop(LABELLED + rank), rank=rank, score=rank / 10, category_id=1, probability=0.9
            )
            for rank in range(WAITING)
        ]
        with self.database.write() as conn:
            models.activate(conn, record, queue)
        push(self.workspace, self.client, self.id)

    def next_task(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.client._connection.get("next", f"api/projects/{self.id}/next")
        return answer

    def label(self, number: int) -> str | None:
        with self.database.read() as conn:
            found = oracle.labels(conn, self.id).get(crop(number))
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
    assert "1 of 30 labels look wrong" in said
    assert crop(MISTAKEN) in said
    assert forest.client.task_count(forest.id) == LABELLED + WAITING  # nothing was changed

    said = installation.wildloop("review", "--push")
    assert "1 labels put before people again; 1 now wait for a second look" in said
    served = forest.next_task()
    assert served["data"]["detection_id"] == crop(MISTAKEN)
    assert served["id"] != forest.task_of[crop(MISTAKEN)]
    assert [one["result"] for one in served["predictions"]] == [[]]

    forest.activate("v2")
    again = forest.next_task()
    assert again["id"] == served["id"]
    assert {one["model_version"] for one in again["predictions"]} == {"v2"}

    said = installation.wildloop("review", "--push")
    assert "0 labels put before people again; 1 now wait" in said
    assert "0 crops published" in installation.wildloop("publish")
    assert forest.client.task_count(forest.id) == LABELLED + WAITING + 1

    forest.annotate(served["id"], truth(MISTAKEN))
    assert "1 changes recorded" in installation.wildloop("sync")
    assert forest.label(MISTAKEN) == truth(MISTAKEN)
    with forest.database.read() as conn:
        assert reviews.unanswered(conn, forest.id) == []
    assert "0 of 30 labels look wrong" in installation.wildloop("review")
    assert forest.next_task()["data"]["detection_id"] == crop(LABELLED)
