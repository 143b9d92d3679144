"""A published, embedded pool whose true species are known, and a Label Studio with its tasks.

Run as a script this is a worker on the workspace that the environment names. The first training
writes a file and then lasts for a given time, so that a test can kill it in the middle.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from collections.abc import Iterable, Mapping
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
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.stored import Embedder

PROJECT = 4
SPECIES = ["deer", "fox", "boar"]
SEQUENCE = 3
START = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


def detection(number: int) -> str:
    return f"d{number:04}"


def species(number: int) -> str:
    """The true species: the crops of a sequence show the same."""
    return SPECIES[(number // SEQUENCE) % len(SPECIES)]


def populate(
    database: Database,
    crops: int = 120,
    *,
    first: int = 0,
    strange: bool = False,
    asked: bool = True,
    options: Mapping[str, Any] | None = None,
    sequence: int = SEQUENCE,
) -> None:
    """Crops `first` up to `crops`, in sequences at four locations, embedded, for project 4.

    A `sequence` has so many photographs, which people are asked about together. Label Studio asks about each,
    unless not `asked`. `strange` crops resemble no others. `options` are those of the project.
    """
    numbers = range(first, crops)
    rng = np.random.default_rng(first)
    centres = 3 * np.eye(len(SPECIES), Embedder().dimension)
    vectors = np.array([centres[SPECIES.index(species(number))] + rng.normal(size=8) for number in numbers])
    if strange:
        vectors = 0.3 * rng.normal(size=vectors.shape) - centres.sum(axis=0)
    with database.write() as conn:
        images.add(
            conn,
            [
                ImageRecord(
                    id=f"i{number}",
                    file_name=f"{number}.jpg",
                    path=f"{number}.jpg",
                    location=f"site {number // SEQUENCE % 4}",
                    seq_id=f"sequence {number // sequence}",
                )
                for number in numbers
            ],
        )
        box = Box(x1=0.1, y1=0.1, x2=0.5, y2=0.5)
        detections.add(
            conn,
            [
                DetectionRecord(
                    id=detection(number),
                    image_id=f"i{number}",
                    box=box,
                    bbox_confidence=0.9,
                    detector="test",
                    crop_path=f"crops/{detection(number)}.jpg",
                )
                for number in numbers
            ],
        )
        categories.ensure(conn, SPECIES)
        record = ProjectRecord(id=PROJECT, title="Forest", embedder=Embedder().id, options=options)
        projects.save(conn, record)
        published = (
            TaskRecord(project_id=PROJECT, detections=(detection(number),), task_id=number + 1)
            for number in numbers
        )
        if asked:
            tasks.add(conn, published)
        embeddings.register(conn, Embedder())
        embeddings.append(conn, Embedder().id, [detection(number) for number in numbers], vectors)


def label(
    database: Database,
    numbers: Iterable[int],
    *,
    verdict: Verdict = Verdict.LABEL,
    day: int = 0,
    wrong: bool = False,
) -> None:
    """A person labels these crops with their true species, or as unsure; on a later `day` once more.

    `wrong`: with another species than the true one.
    """
    with database.write() as conn:
        ids = categories.ensure(conn, SPECIES)
    record(
        database,
        [
            AnnotationRecord(
                project_id=PROJECT,
                detection_id=detection(number),
                annotation_uid=f"uid {number}",
                annotation_id=number + 1,
                task_id=number + 1,
                verdict=verdict,
                label=ids[species(number + SEQUENCE * wrong)] if verdict is Verdict.LABEL else None,
                annotator="1",
                annotated_at=START + dt.timedelta(days=day, seconds=number),
            )
            for number in numbers
        ],
    )


def forest(crops: int = 1_000) -> FakeLabelStudio:
    """A Label Studio that has the tasks of `populate`, and more."""
    tasks_of = {number + 1: detection(number) for number in range(crops)}
    return FakeLabelStudio(PROJECT, tasks_of, species=SPECIES)


def make_workspace(database: Database, data_dir: Path, **options: Any) -> Workspace:
    url = database.engine.url.render_as_string(hide_password=False)
    return Workspace(settings=Settings(data_dir=data_dir, database_url=url, **options), database=database)


def worker(first_training: Path, seconds: float, burst: bool) -> None:
    """Work; the first training writes its process id to the file and lasts `seconds` longer."""
    label_studio = forest()
    fit = heads.fit

    def slow_fit(*args: Any, **kwargs: Any) -> heads.Fitted:
        if not first_training.exists():
            draft = first_training.with_suffix(".draft")
            draft.write_text(str(os.getpid()))
            draft.rename(first_training)
            time.sleep(seconds)
        return fit(*args, **kwargs)

    Workspace.label_studio = lambda _: label_studio  # type: ignore[assignment]
    heads.fit = slow_fit
    jobs.work(open_workspace(), burst=burst)


if __name__ == "__main__":
    worker(Path(sys.argv[1]), float(sys.argv[2]), "burst" in sys.argv)
