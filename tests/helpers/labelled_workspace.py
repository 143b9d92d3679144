"""A store with a published, embedded pool whose truth is known, and a Label Studio that takes its queue.

Run as a script this is a worker on the workspace that the environment names. Its first training leaves a
file and then lasts as long as it is told to, so that a test can kill it in the middle.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import heads, jobs
from pipeline.records import (
    AnnotationRecord,
    Box,
    DetectionRecord,
    ImageRecord,
    ProjectRecord,
    TaskRecord,
    Verdict,
)
from pipeline.settings import Settings
from pipeline.store import categories, detections, embeddings, images, projects, tasks
from pipeline.store.database import Database
from pipeline.workspace import Workspace, open_workspace
from tests.helpers.annotations import record

PROJECT = 4
SPECIES = ["deer", "fox", "boar"]
BURST = 3
START = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Embedder:
    """Stands in the store's books; the vectors are made up here."""

    id: str = "made-up"
    dimension: int = 8
    manifest: Mapping[str, Any] = field(default_factory=lambda: {"spec": "made-up"})

    def embed(self, images: Sequence[Any]) -> Any:
        raise NotImplementedError


def detection(number: int) -> str:
    return f"d{number:04}"


def species(number: int) -> str:
    """The truth: bursts of three crops show one species."""
    return SPECIES[(number // BURST) % len(SPECIES)]


def populate(database: Database, crops: int = 120, *, first: int = 0, strange: bool = False) -> None:
    """Crops `first` up to `crops`, in bursts at four places, published in project 4 and embedded.

    `strange` ones resemble no crop that is not.
    """
    numbers = range(first, crops)
    rng = np.random.default_rng(first)
    centres = 3 * np.eye(len(SPECIES), Embedder().dimension)
    vectors = np.array([centres[SPECIES.index(species(one))] + rng.normal(size=8) for one in numbers])
    if strange:
        vectors = 0.3 * rng.normal(size=vectors.shape) - centres.sum(axis=0)
    with database.write() as conn:
        images.add(
            conn,
            [
                ImageRecord(
                    id=f"i{one}",
                    file_name=f"{one}.jpg",
                    path=f"{one}.jpg",
                    location=f"site {one // BURST % 4}",
                    seq_id=f"burst {one // BURST}",
                )
                for one in numbers
            ],
        )
        box = Box(x1=0.1, y1=0.1, x2=0.5, y2=0.5)
        detections.add(
            conn,
            [
                DetectionRecord(
                    id=detection(one), image_id=f"i{one}", box=box, bbox_confidence=0.9, detector="test"
                )
                for one in numbers
            ],
        )
        categories.ensure(conn, SPECIES)
        projects.save(conn, ProjectRecord(id=PROJECT, title="Forest", embedder=Embedder().id))
        published = (
            TaskRecord(project_id=PROJECT, detection_id=detection(one), task_id=one + 1) for one in numbers
        )
        tasks.add(conn, published)
        embeddings.register(conn, Embedder())
        embeddings.append(conn, Embedder().id, [detection(one) for one in numbers], vectors)


def label(database: Database, numbers: Iterable[int], *, verdict: Verdict = Verdict.LABEL) -> None:
    """A person gives these crops their true species (or finds them unsure)."""
    with database.write() as conn:
        ids = categories.ensure(conn, SPECIES)
    record(
        database,
        [
            AnnotationRecord(
                project_id=PROJECT,
                detection_id=detection(one),
                annotation_uid=f"uid {one}",
                annotation_id=one + 1,
                task_id=one + 1,
                verdict=verdict,
                label=ids[species(one)] if verdict is Verdict.LABEL else None,
                annotator="1",
                annotated_at=START + dt.timedelta(seconds=one),
            )
            for one in numbers
        ],
    )


class TakingLabelStudio:
    """What `push` and `sync` ask of Label Studio, which here takes everything and has no news."""

    def __init__(self) -> None:
        self.model_version = ""
        self.predictions: dict[str, dict[int, float]] = {}  # by version: the score of each task

    def queue(self) -> list[int]:
        """Tasks in the order in which annotators would get them."""
        scores = self.predictions.get(self.model_version, {})
        return sorted(scores, key=lambda one: scores[one])

    def project(self, project_id: int) -> dict[str, Any]:
        return {"id": project_id, "model_version": self.model_version}

    def update_project(self, project_id: int, **fields: Any) -> dict[str, Any]:
        self.model_version = fields["model_version"]
        return self.project(project_id)

    def prediction_versions(self, project_id: int) -> dict[str, dt.datetime]:
        return {one: START + dt.timedelta(minutes=at) for at, one in enumerate(self.predictions)}

    def delete_version(self, project_id: int, version: str) -> int:
        return len(self.predictions.pop(version))

    def existing_tasks(self, project_id: int, task_ids: Iterable[int]) -> set[int]:
        return set(task_ids)

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        for one in predictions:
            self.predictions.setdefault(one["model_version"], {})[one["task"]] = one["score"]
        return len(predictions)

    def tasks_updated_since(self, project_id: int, moment: dt.datetime | None) -> Iterator[Any]:
        return iter(())

    def exported_tasks(self, project_id: int, task_ids: Sequence[int]) -> Iterator[Any]:
        return iter(())

    def task_count(self, project_id: int) -> int:
        return sys.maxsize

    def task_ids(self, project_id: int) -> Iterator[int]:
        return iter(range(1, 10_000))


def make_workspace(database: Database, data_dir: Path, **options: Any) -> Workspace:
    url = database.engine.url.render_as_string(hide_password=False)
    return Workspace(settings=Settings(data_dir=data_dir, database_url=url, **options), database=database)


def worker(first_training: Path, seconds: float, burst: bool) -> None:
    """Work; the first training of all writes its pid to the file and lasts `seconds` longer."""
    label_studio = TakingLabelStudio()
    fit = heads.fit

    def slow_fit(*args: Any, **kwargs: Any) -> heads.Fitted:
        if not first_training.exists():
            draft = first_training.with_suffix(".draft")
            draft.write_text(str(os.getpid()))
            draft.rename(first_training)
            time.sleep(seconds)
        return fit(*args, **kwargs)

    Workspace.label_studio = lambda _: label_studio  # type: ignore[assignment, return-value]
    heads.fit = slow_fit
    jobs.work(open_workspace(), burst=burst)


if __name__ == "__main__":
    worker(Path(sys.argv[1]), float(sys.argv[2]), "burst" in sys.argv)
