"""Oracle + current version -> the best answer for every detection, as the exporters take it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from pipeline import registry
from pipeline.exporters.source import Answer, Basis, LabelledDetection, LabelledImage
from pipeline.identity import detector_of
from pipeline.oracle import OracleEntry, current_label
from pipeline.records import (
    LABEL_STUDIO_SOURCE,
    DeploymentRecord,
    DetectionRecord,
    ModelRecord,
    Role,
    Verdict,
    utc_now,
)
from pipeline.steps.learning.pool_state import novelty_detector, sequences_of
from pipeline.steps.learning.predict import predict_rows
from pipeline.store import acceptances, categories, deployments, models, projects
from pipeline.store.acceptances import Acceptance
from pipeline.store.export_rows import ExportRow, stream
from pipeline.store.pool import Pool
from pipeline.workspace import Workspace

THRESHOLD = 0.9  # least calibrated probability of an answer by a version that nothing was accepted of


class StoreExport:
    """An exporters' Survey over the store."""

    def __init__(
        self,
        workspace: Workspace,
        project_id: int | None,
        *,
        threshold: float | None = None,
        pool_sequences: bool = False,
        role: Role = Role.TARGET,
        detector: str | None = None,
        title: str = "Wildloop",
    ) -> None:
        """The version current in the project answers where no person did; None: only labels count.

        Its answer needs a probability of `threshold`; without one, of what `wildloop accept` found for the
        category, or 0.9 where nothing of the version was accepted. It never answers for a novel crop.
        With `pool_sequences` the crops of a sequence answer together; what was accepted speaks of single
        crops and does not count then. `detector` leaves out the boxes of every other one. Raises
        ModelError where the version's files are lost.
        """
        self._workspace = workspace
        self._role = role
        self._detector = detector
        self.title = title
        self.created = utc_now()
        model = accepted = None
        with workspace.database.read() as conn:
            self._names = categories.names(conn)
            self._deployments = deployments.all(conn)
            if project_id is not None:
                self.title = projects.get(conn, project_id).title
                model = models.current(conn, project_id)
            if model is not None:
                accepted = acceptances.for_version(conn, model.version)
        single = threshold is None and not pool_sequences
        self.accepted = accepted if single else None  # the promise that the answers keep
        self._answers = None
        if model is not None and model.path is not None:
            least = THRESHOLD if threshold is None else threshold
            self._answers = _Answers(workspace, model, self.accepted, least, pool_sequences)

    @property
    def model_version(self) -> str | None:
        """The version that answers; None where there is none with a head."""
        return None if self._answers is None else self._answers.version

    @property
    def categories(self) -> Mapping[int, str]:
        """Every category by its number."""
        return self._names

    @property
    def deployments(self) -> Mapping[str, DeploymentRecord]:
        """Those in the store, by id."""
        return self._deployments

    def photographs(self) -> Iterator[LabelledImage]:
        """Every photograph of the pool, all read at one moment of the store."""
        with self._workspace.database.read() as conn:
            for stored in stream(conn, self._role):
                yield self._labelled(stored)

    def _labelled(self, stored: ExportRow) -> LabelledImage:
        wanted = self._detector
        looked = dict.fromkeys(filter(None, map(detector_of, stored.scans)))
        return LabelledImage(
            image=stored.image,
            detections=tuple(
                LabelledDetection(record=box, answer=self._answer(box, stored.histories.get(box.id, ())))
                for box in stored.detections
                if wanted in (None, box.detector)
            ),
            labels=stored.labels,
            detectors=tuple(one for one in looked if wanted in (None, one)),
        )

    def _answer(self, box: DetectionRecord, history: Iterable[OracleEntry]) -> Answer:
        current = current_label(history)
        basis = Basis.PEOPLE if current.source == LABEL_STUDIO_SOURCE else Basis.SOURCE
        if current.verdict is Verdict.LABEL and current.label is not None:
            name = self._names[current.label]
            return Answer(basis=basis, category=name, by=_by(current.by, current.source), at=current.at)
        if current.verdict is Verdict.UNSURE:
            return Answer(basis=basis, unsure=True, by=current.by, at=current.at)
        if current.disputed:  # people have spoken, and not as one: no machine settles that
            return Answer(basis=Basis.NONE)
        predicted = self._answers.of(box.id) if self._answers is not None else None
        if predicted is not None and self._answers is not None:
            return Answer(
                basis=Basis.MODEL,
                category=self._names[predicted[0]],
                by=(self._answers.version,),
                probability=predicted[1],
                at=self._answers.created_at,
            )
        if current.verdict is Verdict.WEAK and current.label is not None:
            return Answer(
                basis=Basis.WEAK,
                category=self._names[current.label],
                by=_by(current.by, current.source),
                probability=current.confidence,
                at=current.at,
            )
        return Answer(basis=Basis.NONE)


class _Answers:
    """What one version says of every embedded detection, where it is sure enough."""

    def __init__(
        self,
        workspace: Workspace,
        model: ModelRecord,
        accepted: Acceptance | None,
        threshold: float,
        pool_sequences: bool,
    ) -> None:
        """Sure enough is what was accepted; where nothing was, a probability of `threshold`."""
        self.version = model.version
        self.created_at: dt.datetime | None = model.created_at
        self._pool: Pool = workspace.pool(model.embedder)
        head = registry.load_head(workspace.data_dir, model)
        known = novelty_detector(workspace, self._pool, registry.learned(workspace.data_dir, model))
        rows = np.arange(len(self._pool))
        sequences = sequences_of(workspace, self._pool, rows) if pool_sequences else None
        self._answers = predict_rows(head, known, self._pool.vectors, rows, sequences)
        self._promised = len(self._pool) if accepted is None else accepted.pool_size
        self._least = {
            one: threshold if accepted is None else accepted.thresholds.get(one, math.inf)
            for one in head.classes
        }

    def of(self, detection_id: str) -> tuple[int, float] | None:
        """Category and calibrated probability; None where it is not embedded, novel, in doubt, or was
        embedded after what was accepted."""
        row = self._pool.index.get(detection_id)
        if row is None or self._answers.novel[row] or row >= self._promised:
            return None
        said, probability = int(self._answers.said[row]), float(self._answers.probability[row])
        return (said, probability) if probability >= self._least[said] else None


def _by(names: tuple[str, ...], source: str | None) -> tuple[str, ...]:
    """Who answered: the people named, else the source where there is one."""
    return names or ((source,) if source and source != LABEL_STUDIO_SOURCE else ())
