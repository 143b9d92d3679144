"""Photographs on disk that MegaDetector called empty, a project, and a Label Studio that asks about them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backend.webhook import receive
from importers.sources.megadetector import import_results
from pipeline.records import DetectionRecord, ProjectRecord, TaskKind, TaskRecord
from pipeline.store import categories, detections, images, projects, tasks
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene
from tests.helpers.results import chose, drew
from tests.helpers.stored import Embedder

PROJECT = 4
Json = dict[str, Any]
SIGNED_OFF = [chose("all_suggested_0", "empty")]  # submitted as it was suggested


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A workspace with photographs, and a Label Studio that loses no webhook."""

    workspace: Workspace
    server: FakeLabelStudio
    root: Path  # of the photographs
    listed: dict[str, list[Json]] = field(default_factory=dict)  # what the detector found, by file

    def add(self, *names: str, found: Iterable[Json] = ()) -> None:
        """Import photographs on which the detector found this."""
        for name in names:
            put(self.root / name, encoded(scene(seed=len(self.listed))))
            self.listed[name] = list(found)
        self.reimport()

    def reimport(self) -> None:
        """Import everything, as it is now."""
        head = {"info": {"format_version": "1.4", "detector": "md"}, "detection_categories": {"1": "animal"}}
        images_ = [{"file": name, "detections": found} for name, found in self.listed.items()]
        listing = put(self.root.parent / "results.json", json.dumps({"images": images_, **head}).encode())
        import_results(self.workspace, listing, self.root)

    def boxes(self, name: str) -> list[DetectionRecord]:
        """The detections of a photograph."""
        with self.workspace.database.read() as conn:
            found = images.at_paths(conn, [str(self.root / name)])
            ids = [stored.record.id for stored in found.get(str(self.root / name), [])]
            return [box for of_image in detections.of_images(conn, ids).values() for box in of_image]

    def tasks(self, kind: TaskKind) -> list[TaskRecord]:
        """The open tasks of this kind."""
        with self.workspace.database.read() as conn:
            return [task for task in tasks.open_tasks(conn, PROJECT) if task.kind is kind]

    def names(self, detection_ids: Iterable[str]) -> list[str]:
        """The file names of the photographs of these detections."""
        with self.workspace.database.read() as conn:
            names = detections.file_names(conn, detection_ids)
        return [names[id_] for id_ in detection_ids]


def box(confidence: float = 0.9, x: float = 0.1, y: float = 0.1) -> Json:
    """An animal that MegaDetector found."""
    return {"category": "1", "conf": confidence, "bbox": [x, y, 0.3, 0.3]}


def drawn(x: float, y: float, width: float = 30, height: float = 30, *, origin: str = "manual") -> Json:
    """A box that somebody drew or moved, in percent."""
    return drew(origin, x=x, y=y, width=width, height=height, rotation=0)


def survey(database: Database, folder: Path) -> Survey:
    """A project that offers deer, fox and empty, without photographs."""
    workspace = make_workspace(database, folder / "data")
    words = ("deer", "fox", "empty")
    record = ProjectRecord(id=PROJECT, title="Forest", embedder=Embedder().id, choices=words)
    with database.write() as conn:
        categories.ensure(conn, words)
        projects.save(conn, record)
    server = FakeLabelStudio(PROJECT, species=["deer", "fox"])
    server.webhook = lambda payload: receive(workspace, payload, lambda _: None)
    return Survey(workspace=workspace, server=server, root=folder / "photographs")
