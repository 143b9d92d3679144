"""A project on a real Label Studio that asks about crops, without an ML backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.label_studio.screen import controls
from pipeline.records import DetectionRecord, ImageRecord, ModelRecord, PredictionRecord, utc_now
from pipeline.steps.labelling.project import create_project
from pipeline.steps.labelling.stock import StockReport, top_up
from pipeline.store import categories, detections, embeddings, images, models, tasks
from tests.acceptance.conftest import Installation
from tests.helpers.results import chose
from tests.helpers.stored import Embedder


class PublishedProject:
    """The project, what people do in it, and made-up versions."""

    def __init__(
        self,
        installation: Installation,
        species: Sequence[str],
        photographs: Sequence[ImageRecord],
        crops: Sequence[DetectionRecord],
    ) -> None:
        self.installation, self.api = installation, installation.api
        self.workspace, self.client = installation.workspace, installation.client
        self.database = self.workspace.database
        project, _ = create_project(
            self.workspace,
            self.client,
            title=installation.folder.name,
            species=species,
            embedder_id=Embedder().id,
            connect_backend=False,
        )
        self.id = project.id
        self.ids = [crop.id for crop in crops]
        with self.database.write() as conn:
            images.add(conn, photographs)
            detections.add(conn, crops)
        self.top_up()
        with self.database.read() as conn:
            self.categories = {name: number for number, name in categories.names(conn).items()}

    def embed(self) -> None:
        """Give every crop a vector; crops with even and odd numbers lie apart."""
        rng = np.random.default_rng(0)
        vectors = [5 * np.eye(8)[number % 2] + rng.normal(size=8) for number in range(len(self.ids))]
        with self.database.write() as conn:
            embeddings.register(conn, Embedder())
            embeddings.append(conn, Embedder().id, self.ids, np.array(vectors))

    def activate_version(self, version: str, queue: Sequence[PredictionRecord]) -> None:
        """Make `version`, which has learned nothing, the current version."""
        record = ModelRecord(
            version=version,
            project_id=self.id,
            embedder=Embedder().id,
            digest=version,
            labels=0,
            metrics={"pool": len(self.ids), "embedded": len(self.ids)},
            path=None,
            created_at=utc_now(),
        )
        with self.database.write() as conn:
            models.activate(conn, record, queue)

    def top_up(self, **options: Any) -> StockReport:
        """Ask what the current version's queue and the stock lack."""
        return top_up(self.workspace, self.client, self.id, **options)

    @property
    def task_of(self) -> dict[str, int]:
        """The newest task of each crop that asks about it alone."""
        with self.database.read() as conn:
            return tasks.by_detection(conn, self.id, self.ids)

    def next_task(self) -> dict[str, Any]:
        """The task that the label stream serves this account now."""
        task: dict[str, Any] = self.api.get("next", f"api/projects/{self.id}/next")
        return task

    def annotate(self, task_id: int, choice: str, **fields: Any) -> None:
        """Submit an annotation; `fields` are Label Studio's."""
        result = chose(controls.SPECIES, choice) | {"to_name": controls.CROP}
        body = {"result": [result], **fields}
        self.api.send("label", "POST", f"api/tasks/{task_id}/annotations/", body)
