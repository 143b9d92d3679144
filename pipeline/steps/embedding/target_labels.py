"""The labels of a project: those that finetuning learns from, and those that compare the embedders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import EmbedderError
from pipeline.identity import digest
from pipeline.records import EMPTY, ProjectRecord
from pipeline.splits import place_name
from pipeline.steps.learning.training_set import training_labels
from pipeline.store import audits, candidates, categories, detections
from pipeline.store.candidates import CropPlace
from pipeline.workspace import Workspace

LEAST = 200  # labels of the project: from fewer, a network would only memorise them
LEAST_JUDGED = 30  # labels to judge by: fewer would hardly tell two embedders apart
HELD_OUT = 0.25  # share of the places


@dataclass(frozen=True, kw_only=True)
class TargetLabels:
    """The project's labelled and embedded crops without those of audits, by detection."""

    labels: Mapping[str, int]  # category
    places: Mapping[str, CropPlace]
    paths: Mapping[str, Path]  # of the crop files
    learned: list[str]  # detections to learn from
    judged: list[str]  # detections to judge by, at places that no finetuning learns from


def target_labels(workspace: Workspace, project: ProjectRecord) -> TargetLabels:
    """The current labels. Raises EmbedderError if they are too few to learn from or to judge by."""
    pool = workspace.pool(project.embedder)
    with workspace.database.read() as conn:
        names = categories.names(conn)
        # The audit judges the project's versions, so it must not choose their embedder. Other projects
        # may use the embedder too, so it does not learn from their audits either.
        audited = audits.drawn_ids(conn)
        labels = {
            crop: label
            for crop, label in training_labels(conn, project.id).items()
            if crop in pool.index and crop not in audited
        }
        places = candidates.places(conn, labels)
        boxes = detections.get(conn, labels)
    place_of = {crop: place_name(place.location, place.sequence) for crop, place in places.items()}
    held = held_out(set(place_of.values()))
    learned = [crop for crop in sorted(labels) if place_of[crop] not in held]
    judged = [crop for crop in sorted(labels) if place_of[crop] in held]
    species = {labels[crop] for crop in learned if names[labels[crop]] != EMPTY}
    if len(labels) < LEAST or len(species) < 2 or len(judged) < LEAST_JUDGED:
        raise EmbedderError(
            f"project {project.id} has {len(learned)} labels of {len(species)} species to learn from and "
            f"{len(judged)} at other places to judge by",
            remedy=f"label more crops: finetuning needs {LEAST} labels, of at least two species and two "
            f"places, and {LEAST_JUDGED} of them to judge by",
        )
    paths = {crop: workspace.data_dir / str(box.crop_path) for crop, box in boxes.items()}
    return TargetLabels(labels=labels, places=places, paths=paths, learned=learned, judged=judged)


def held_out(places: set[str]) -> set[str]:
    """A quarter of the places, chosen by a digest: the same ones in every project and at any time.

    An embedder that is finetuned repeatedly is thus never judged at places that it learned from before.
    The place with the smallest digest is always held out, even if its digest is above the quarter. A new
    place with a smaller digest takes its role: a held-out place may thus be learned from later, but a
    learned one is never held out.
    """
    share = {place: int(digest("held out", place, size=4), 16) / 2**32 for place in places}
    first = min(share, key=share.__getitem__, default="")
    return {place for place, value in share.items() if value < HELD_OUT or place == first}
