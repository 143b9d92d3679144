"""Oracle + current version -> the best answer for each detection, as the exporters take it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.current_label import CurrentLabel, OracleEntry, current_label
from pipeline.exporters.attributes import Attributes
from pipeline.exporters.source import Answer, Basis, LabelledDetection, LabelledImage
from pipeline.identity import detector_of
from pipeline.records import (
    DRAWN_DETECTOR,
    LABEL_STUDIO_SOURCE,
    DeploymentRecord,
    DetectionRecord,
    ModelRecord,
    Role,
    Taxon,
    Verdict,
    utc_now,
)
from pipeline.steps.learning.pool_state import sequences_of
from pipeline.steps.learning.predict import load_version
from pipeline.store import acceptances, categories, deployments, models, packages, projects, taxa
from pipeline.store.acceptances import Acceptance
from pipeline.store.empties import Finding, finding
from pipeline.store.export_rows import ExportRow, stream
from pipeline.workspace import Workspace

THRESHOLD = 0.9  # least calibrated probability of a prediction if nothing is accepted


class StoreExport:
    """The store as an `exporters.source.ExportSource`."""

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
        """The project's current version predicts what people have not labelled; without a project, nothing.

        A prediction needs a probability of `threshold`. Without a threshold it needs what `wildloop
        accept` found for its category, or 0.9 if nothing of the version was accepted. Novel crops get no
        prediction. With `pool_sequences`, the predictions of each sequence are pooled; an acceptance is
        about single crops and does not count then. `detector` leaves out the boxes of other detectors.
        `title` is for an export without a project. Raises ModelError if the version's files are damaged.
        """
        self._workspace = workspace
        self._role = role
        self._detector = detector
        self.title = title
        self.created = utc_now()
        model = accepted = None
        with workspace.database.read() as conn:
            self._names = categories.names(conn)
            self._numbers = categories.numbers(conn)
            self._taxa = {taxon.category: taxon for taxon in taxa.all(conn).values()}
            self._deployments = deployments.all(conn)
            self._packages = packages.all(conn)
            if project_id is not None:
                self.title = projects.get(conn, project_id).title
                model = models.current(conn, project_id)
            if model is not None:
                accepted = acceptances.for_version(conn, model.version)
        about_crops = threshold is None and not pool_sequences
        self.accepted = accepted if about_crops else None  # the guarantee that the predictions keep
        self._predictions = None
        if model is not None and model.path is not None:
            least = THRESHOLD if threshold is None else threshold
            self._predictions = _Predictions(workspace, model, self.accepted, least, pool_sequences)

    @property
    def model_version(self) -> str | None:
        """The version that predicts; None if there is none with a head."""
        return None if self._predictions is None else self._predictions.model.version

    @property
    def categories(self) -> Mapping[int, str]:
        """The name of every category, by its id."""
        return self._names

    @property
    def taxa(self) -> Mapping[str, Taxon]:
        """The taxa in the store, by the name of their category."""
        return self._taxa

    @property
    def packages(self) -> Mapping[str, Mapping[str, Any]]:
        """The descriptors of imported packages, by their provenance."""
        return self._packages

    @property
    def deployments(self) -> Mapping[str, DeploymentRecord]:
        """The deployments in the store, by id."""
        return self._deployments

    def photographs(self) -> Iterator[LabelledImage]:
        """Every photograph of the pool, all read at one moment of the store."""
        with self._workspace.database.read() as conn:
            for stored in stream(conn, self._role):
                yield self._labelled(stored)

    def _labelled(self, stored: ExportRow) -> LabelledImage:
        wanted = self._detector and (self._detector, DRAWN_DETECTOR)  # people's boxes replace its own
        detectors = dict.fromkeys(filter(None, map(detector_of, stored.scans)))
        return LabelledImage(
            image=stored.image,
            detections=tuple(
                LabelledDetection(record=box, answer=self._answer(box, stored.histories.get(box.id, ())))
                for box in stored.detections
                if wanted is None or box.detector in wanted
            ),
            labels=stored.labels,
            detectors=tuple(detector for detector in detectors if wanted is None or detector in wanted),
            whole=self._whole(stored),
        )

    def _whole(self, stored: ExportRow) -> Answer | None:
        """What people say of a photograph without boxes; labels of people that came with it come first."""
        if stored.detections or any(not (label.weak or label.is_unclassified) for label in stored.labels):
            return None
        found = finding(stored.sign_off, ())
        current = current_label(stored.sign_off)
        if found is Finding.STRUCK or current.disputed:
            return Answer(basis=Basis.NONE)
        if current.verdict is Verdict.UNSURE:
            return replace(self._said(current), basis=Basis.PEOPLE, unsure=True, by=current.by)
        if current.label is None:
            return None
        return replace(
            self._said(current),
            basis=Basis.PEOPLE,
            category=self._names[current.label],
            by=_labelled_by(current),
        )

    def _answer(self, box: DetectionRecord, history: Iterable[OracleEntry]) -> Answer:
        current = current_label(history)
        basis = Basis.PEOPLE if current.source == LABEL_STUDIO_SOURCE else Basis.SOURCE
        said = self._said(current)
        if current.verdict is Verdict.LABEL and current.label is not None:
            category = self._names[current.label]
            return replace(said, basis=basis, category=category, by=_labelled_by(current))
        if current.verdict is Verdict.UNSURE:
            return replace(said, basis=basis, unsure=True, by=current.by)
        if current.disputed:  # a prediction cannot settle what people dispute
            return Answer(basis=Basis.NONE)
        predicted = self._predicted(box)
        if predicted is not None:
            return predicted
        if current.verdict is Verdict.WEAK and current.label is not None:
            return Answer(
                basis=Basis.WEAK,
                category=self._names[current.label],
                by=_labelled_by(current),
                probability=current.confidence,
                at=current.at,
            )
        return Answer(basis=Basis.NONE)

    def _said(self, label: CurrentLabel) -> Answer:
        """When and how people gave the label, and what else they said; the caller fills in the rest."""
        said = Attributes.from_json(label.attributes)
        now = (self._names[self._numbers[name]] if name in self._numbers else name for name in said.also)
        return Answer(
            basis=Basis.NONE,
            at=label.at,
            way=label.way,
            kept=label.confirmed if label.suggested else None,
            attributes=replace(said, also=tuple(dict.fromkeys(now))),
        )

    def _predicted(self, box: DetectionRecord) -> Answer | None:
        prediction = None if self._predictions is None else self._predictions.of(box.id)
        if prediction is None or self._predictions is None:
            return None
        category, probability = prediction
        return Answer(
            basis=Basis.MODEL,
            category=self._names[category],
            by=(self._predictions.model.version,),
            probability=probability,
            at=self._predictions.model.created_at,
        )


class _Predictions:
    """The predictions of one version for every embedded detection, above its thresholds."""

    def __init__(
        self,
        workspace: Workspace,
        model: ModelRecord,
        accepted: Acceptance | None,
        threshold: float,
        pool_sequences: bool,
    ) -> None:
        """The thresholds are those that were accepted; if nothing was, `threshold` for every category."""
        self.model = model
        version = load_version(workspace, model)
        self._pool = version.pool
        rows = np.arange(len(self._pool))
        sequences = sequences_of(workspace, self._pool, rows) if pool_sequences else None
        self._predictions = version.predict(rows, sequences)
        self._covered = len(self._pool) if accepted is None else accepted.pool_size
        self._thresholds = {
            category: threshold if accepted is None else accepted.thresholds.get(category, math.inf)
            for category in version.head.classes
        }

    def of(self, detection_id: str) -> tuple[int, float] | None:
        """Category and calibrated probability of a detection.

        None if it is not embedded, is novel, is of a category that the project does not offer, is below its
        threshold, or was embedded after the acceptance.
        """
        row = self._pool.index.get(detection_id)
        if row is None or self._predictions.novel[row] or row >= self._covered:
            return None
        if not self._predictions.offered[row]:
            return None
        category = int(self._predictions.category[row])
        probability = float(self._predictions.probability[row])
        return (category, probability) if probability >= self._thresholds[category] else None


def _labelled_by(label: CurrentLabel) -> tuple[str, ...]:
    """The people who gave the label, or if none are named, the source."""
    return label.by or ((label.source,) if label.source and label.source != LABEL_STUDIO_SOURCE else ())
