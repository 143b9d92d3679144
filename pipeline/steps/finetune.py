"""A project's embedder + what people labelled -> one that knows the target, in use where it does better."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline import heads
from pipeline.embedders import Embedder, load, reload, trained
from pipeline.errors import EmbedderError, SourceError
from pipeline.evaluation.comparison import Comparison, compare
from pipeline.evaluation.dataset_folder import Crop
from pipeline.evaluation.partition import numbered
from pipeline.records import EMPTY, ProjectRecord, Role, digest
from pipeline.steps import labelled_crops
from pipeline.steps.crop_vectors import crop_vectors
from pipeline.steps.dataset import Selection
from pipeline.steps.standing import learned
from pipeline.steps.train_embedder import EmbedderTraining, train_embedder
from pipeline.store import audits, candidates, categories, detections, embeddings, oracle
from pipeline.store.candidates import Place
from pipeline.store.database import Database
from pipeline.store.pool import open_pool
from pipeline.training.recipe import Recipe

LEAST = 200  # labels of the project: fewer would only be learned by heart
HELD_OUT = 0.25  # of the places
SURE = 0.9  # share of bootstrap draws in which the new embedder must do better
EPOCHS = 10
CROPS = "crops.json"  # in the folder of the training: what it began with, whatever is labelled meanwhile


@dataclass(frozen=True, kw_only=True)
class Finetuning:
    """What one run of the step came to."""

    training: EmbedderTraining
    comparison: Comparison

    @property
    def is_better(self) -> bool:
        """Whether the project should work with the new embedder."""
        found = self.comparison
        return found.surer >= SURE and found.new_accuracy >= found.old_accuracy


@dataclass(frozen=True, kw_only=True)
class _Target:
    """The project's labelled and embedded crops: those to learn from, and those to judge by."""

    labels: Mapping[str, int]  # category by detection
    places: Mapping[str, Place]
    paths: Mapping[str, Path]
    known: list[str]  # detections
    judged: list[str]  # at places that no finetuning of the project learns from, and of the audit


def finetune(
    database: Database,
    data_dir: Path,
    project: ProjectRecord,
    name: str,
    *,
    epochs: int = EPOCHS,
    rate: float | None = None,
    seed: int = 0,
    licence: str | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> Finetuning:
    """Train on from the project's embedder, on the pretraining pool and the project's labels, as `name`.

    A quarter of the places, always the same, is never learned from, nor is the audit: there heads are
    compared that learned the other labels in the vectors of either embedder. A killed run is taken up where
    it ended; one that ended is judged again by the labels of now. The project stays as it is:
    `steps.use_embedder` changes it. Raises EmbedderError where the project's embedder has no weights of ours
    or too little is labelled.
    """
    with database.read() as conn:
        manifest = embeddings.registered(conn, project.embedder).manifest
    old = reload(project.embedder, manifest, data_dir=data_dir)
    if manifest["kind"] != "checkpoint":
        raise EmbedderError(
            f"{project.embedder} was not trained here, so it cannot be trained on",
            remedy="`wildloop embedding train`, then `wildloop embedding use`",
        )
    target = _target(database, data_dir, project)
    if name in trained.names(data_dir):
        training = _trained(data_dir, name, project)
    else:
        training = train_embedder(
            data_dir,
            name,
            data_dir,
            _crops(database, data_dir, name, target),
            replace(_recipe(manifest), epochs=epochs, seed=seed),
            start=str(manifest["spec"]),
            rate=rate,
            licence=licence,
            workers=workers,
            about={"target": {"project": project.id, "labels": len(target.known)}},
            progress=progress,
        )
    comparison = _compared(database, data_dir, target, old, load(name, data_dir=data_dir))
    return Finetuning(training=training, comparison=comparison)


def _recipe(manifest: Mapping[str, Any]) -> Recipe:
    """How the embedder was trained; of a checkpoint that came from elsewhere, what it is."""
    if "training" in manifest:
        return Recipe(**manifest["training"]["recipe"])
    return Recipe(backbone=manifest["backbone"], side=manifest["preprocessing"]["crop"])


def _trained(data_dir: Path, name: str, project: ProjectRecord) -> EmbedderTraining:
    """The embedder as an earlier run left it."""
    folder = trained.folder(data_dir, name)
    description = dict(load(name, data_dir=data_dir).manifest.get("training", {}))
    if description.get("target", {}).get("project") != project.id:
        raise EmbedderError(
            f"{folder} was not finetuned for project {project.id}", remedy="give another --name"
        )
    return EmbedderTraining(name=name, folder=folder, known=True, description=description, broken={})


def _target(database: Database, data_dir: Path, project: ProjectRecord) -> _Target:
    pool = open_pool(database, data_dir, project.embedder)
    with database.read() as conn:
        names = categories.names(conn)
        learnable = learned(conn, project.id)
        audited = set(audits.sample(conn, project.id).labelled)
        labels = {
            one: label
            for one, label in oracle.labels(conn, project.id).items()
            if one in pool.index and (one in learnable or one in audited)
        }
        places = candidates.places(conn, labels)
        boxes = detections.get(conn, labels)
    held = _held_out({_place(place) for place in places.values()}, project.id)
    known = [one for one in sorted(labels) if one in learnable and _place(places[one]) not in held]
    seen = {places[one].sequence for one in known}
    judged = [one for one in sorted(labels) if places[one].sequence not in seen and one not in known]
    species = {labels[one] for one in known if names[labels[one]] != EMPTY}
    if len(known) + len(judged) < LEAST or len(species) < 2 or not judged:
        raise EmbedderError(
            f"project {project.id} has {len(known)} labels of {len(species)} species to learn from and "
            f"{len(judged)} at other places to judge by",
            remedy=f"label on: it takes {LEAST}, of at least two species and two places",
        )
    paths = {one: data_dir / str(box.crop_path) for one, box in boxes.items()}
    return _Target(labels=labels, places=places, paths=paths, known=known, judged=judged)


def _place(place: Place) -> str:
    return f"in {place.sequence}" if place.location is None else f"at {place.location}"


def _held_out(places: set[str], project_id: int) -> set[str]:
    """A quarter of the places, by a digest: the same ones whatever is labelled since.

    So no embedder that is finetuned again and again ever learns from them. At least the first is taken.
    """
    numbers = {place: int(digest("held out", str(project_id), place, size=4), 16) / 2**32 for place in places}
    first = min(numbers, key=numbers.__getitem__, default="")
    return {place for place, number in numbers.items() if number < HELD_OUT or place == first}


def _crops(database: Database, data_dir: Path, name: str, target: _Target) -> list[Crop]:
    """What the training of this name began with, or else the pretraining pool and the labels of now."""
    path = data_dir / "trainings" / name / CROPS
    if path.exists():
        try:
            return [Crop(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError) as exc:
            raise EmbedderError(f"{path} cannot be read: {exc}", remedy=f"delete {path.parent}") from exc
    with database.read() as conn:
        names = categories.names(conn)
    own = [
        Crop(
            file_name=target.paths[one].relative_to(data_dir).as_posix(),
            species=names[target.labels[one]],
            sequence=f"sequence {target.places[one].sequence}",
            location=target.places[one].location,
            tested=False,
        )
        for one in target.known
        if names[target.labels[one]] != EMPTY
    ]
    try:
        others = labelled_crops.of_store(database, data_dir, Selection(roles=(Role.PRETRAINING,)))
    except SourceError:  # the pool is empty: the labels alone must do
        others = []
    crops = [*others, *own]
    trained.check_name(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{CROPS}")
        draft.write_text(json.dumps([asdict(crop) for crop in crops]), encoding="utf-8")
        draft.replace(path)
    except OSError as exc:
        raise EmbedderError(f"{path} cannot be written: {exc.strerror}", remedy="is there room?") from exc
    return crops


def _compared(
    database: Database, data_dir: Path, target: _Target, old: Embedder, new: Embedder
) -> Comparison:
    """Answers at the judged crops of heads that learned the others, in the vectors of each embedder."""
    ids = [*target.known, *target.judged]
    pool = open_pool(database, data_dir, old.id)
    there, vectors = _embedded(new, {one: target.paths[one] for one in ids})
    known = [one for one in target.known if one in there]
    judged = [one for one in target.judged if one in there]
    answers = [
        _answers(target, known, rows)
        for rows in (pool.rows([*known, *judged]), vectors[[there[one] for one in [*known, *judged]]])
    ]
    truth = [target.labels[one] for one in judged]
    _, numbers = numbered([str(one) for one in [*truth, *answers[0], *answers[1]]])
    _, clusters = numbered([_place(target.places[one]) for one in judged])
    true, before, after = np.split(numbers, 3)
    return compare(true, before, after, clusters)


def _answers(target: _Target, known: Sequence[str], vectors: npt.NDArray[np.floating]) -> list[int]:
    """What a head says that learned the K known crops; `vectors` (K + J, D) are theirs, then the judged."""
    examples = heads.Examples(
        embeddings=vectors[: len(known)],
        labels=[target.labels[one] for one in known],
        sequences=[target.places[one].sequence for one in known],
        locations=[target.places[one].location for one in known],
    )
    head = heads.fit(examples, embedder="", seed=0).head
    best = head.probabilities(vectors[len(known) :]).argmax(axis=1)
    return [head.classes[one] for one in best]


def _embedded(
    embedder: Embedder, paths: Mapping[str, Path]
) -> tuple[dict[str, int], npt.NDArray[np.float32]]:
    """The row of each detection whose crop can be read, and the rows (N, D)."""
    batches = list(crop_vectors(embedder, paths.items()))
    keys = [key for batch in batches for key in batch.keys]
    return {key: row for row, key in enumerate(keys)}, np.concatenate([batch.vectors for batch in batches])
