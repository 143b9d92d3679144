"""What is labelled in a project: to train its embedder on, and to judge the new embedder by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import EmbedderError
from pipeline.identity import digest
from pipeline.records import EMPTY, ProjectRecord
from pipeline.splits import place_name
from pipeline.steps.learning.pool_state import learned
from pipeline.store import audits, candidates, categories, detections
from pipeline.store.candidates import CropPlace
from pipeline.workspace import Workspace

LEAST = 200  # labels of the project: fewer would only be learned by heart
LEAST_JUDGED = 30  # of them: fewer would hardly tell two embedders apart
HELD_OUT = 0.25  # of the places


@dataclass(frozen=True, kw_only=True)
class TargetLabels:
    """The project's labelled and embedded crops, but those of audits, by detection."""

    labels: Mapping[str, int]  # category
    places: Mapping[str, CropPlace]
    paths: Mapping[str, Path]
    known: list[str]  # to learn from
    judged: list[str]  # to judge by: at places that no finetuning learns from


def target_labels(workspace: Workspace, project: ProjectRecord) -> TargetLabels:
    """The labels of now. EmbedderError where they are too few to learn from and to judge by."""
    pool = workspace.pool(project.embedder)
    with workspace.database.read() as conn:
        names = categories.names(conn)
        # An audit judges what the project ends with, so it must not choose it. Other projects may work with
        # the embedder, too: it does not learn from their audits either.
        audited = audits.drawn_ids(conn)
        labels = {
            one: label
            for one, label in learned(conn, project.id).items()
            if one in pool.index and one not in audited
        }
        places = candidates.places(conn, labels)
        boxes = detections.get(conn, labels)
    at = {one: place_name(place.location, place.sequence) for one, place in places.items()}
    held = held_out(set(at.values()))
    known = [one for one in sorted(labels) if at[one] not in held]
    judged = [one for one in sorted(labels) if at[one] in held]
    species = {labels[one] for one in known if names[labels[one]] != EMPTY}
    if len(labels) < LEAST or len(species) < 2 or len(judged) < LEAST_JUDGED:
        raise EmbedderError(
            f"project {project.id} has {len(known)} labels of {len(species)} species to learn from and "
            f"{len(judged)} at other places to judge by",
            remedy=f"label on: it takes {LEAST} together, of at least two species and two places, and "
            f"{LEAST_JUDGED} of them to judge by",
        )
    paths = {one: workspace.data_dir / str(box.crop_path) for one, box in boxes.items()}
    return TargetLabels(labels=labels, places=places, paths=paths, known=known, judged=judged)


def held_out(places: set[str]) -> set[str]:
    """A quarter of the places, by a digest: the same ones whatever is labelled since, in every project.

    So an embedder that is finetuned again and again is never judged by what an earlier one learned. The first
    place is taken in any case; where a new one comes before it, it may be learned from, never the reverse.
    """
    numbers = {place: int(digest("held out", place, size=4), 16) / 2**32 for place in places}
    first = min(numbers, key=numbers.__getitem__, default="")
    return {place for place, number in numbers.items() if number < HELD_OUT or place == first}
