"""Rows that many tests need in a store before they begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.records import Box, DetectionRecord, ImageRecord, ProjectRecord, TaskRecord
from pipeline.store import categories, detections, images, projects, tasks
from pipeline.store.database import Database


@dataclass(frozen=True, kw_only=True)
class Embedder:
    """What the store keeps of an embedder. Tests make up the vectors."""

    id: str = "made-up"
    dimension: int = 8
    manifest: Mapping[str, Any] = field(default_factory=lambda: {"spec": "made-up"})


def publish_tasks(
    database: Database,
    project: ProjectRecord,
    tasks_of: Mapping[int, str],
    *,
    species: Sequence[str] = ("deer", "fox"),
) -> None:
    """A project whose tasks show these detections, all of one photograph."""
    box = Box(x1=0.1, y1=0.1, x2=0.5, y2=0.5)
    with database.write() as conn:
        images.add(conn, [ImageRecord(id="i", file_name="i.jpg", path="i.jpg")])
        detections.add(
            conn,
            [
                DetectionRecord(
                    id=detection,
                    image_id="i",
                    box=box,
                    bbox_confidence=0.9,
                    detector="test",
                    crop_path=f"crops/{detection}.jpg",
                )
                for detection in tasks_of.values()
            ],
        )
        categories.ensure(conn, species)
        projects.save(conn, project)
        tasks.add(
            conn,
            [
                TaskRecord(project_id=project.id, detections=(detection,), task_id=task)
                for task, detection in tasks_of.items()
            ],
        )
