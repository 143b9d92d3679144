"""A project's embedder + its labels -> an embedder finetuned on the target, compared with the former."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline import heads
from pipeline.arrays import numbered
from pipeline.embedder_training import state
from pipeline.embedder_training.recipe import Recipe
from pipeline.embedders import Embedder, checkpoint, load, reload, trained
from pipeline.errors import EmbedderError, SourceError
from pipeline.evaluation.comparison import Comparison, compare
from pipeline.evaluation.dataset_folder import Crop
from pipeline.evaluation.partition import clusters
from pipeline.files.atomic import atomic_file
from pipeline.records import EMPTY, ProjectRecord, Role
from pipeline.steps.datasets import labelled_crops
from pipeline.steps.datasets.dataset import Selection
from pipeline.steps.embedding.crop_vectors import crop_vectors
from pipeline.steps.embedding.target_labels import TargetLabels, target_labels
from pipeline.steps.embedding.train import EmbedderTraining, TrainingRequest, train_embedder
from pipeline.store import categories, embeddings, projects
from pipeline.workspace import Workspace

SURE = 0.9  # share of bootstrap draws in which the new embedder must be better
EPOCHS = 10
CROPS = "crops.json"  # in the training's folder: the crops it began with, whatever is labelled meanwhile


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The project's embedder and the new one, compared on crops that the new one never learned from."""

    comparison: Comparison
    by: str  # what its clusters are: location, or sequence if all crops are of one location


@dataclass(frozen=True, kw_only=True)
class Finetuning:
    """A finetuned embedder and how it compares."""

    training: EmbedderTraining
    former: str  # id of the project's embedder, which the new one is compared with
    judged: Judged | None  # None if the project uses the new embedder already

    @property
    def is_better(self) -> bool:
        """Whether the project should use the new embedder."""
        if self.judged is None or self.judged.comparison.clusters < 2:  # every draw would be the same
            return False
        comparison = self.judged.comparison
        return comparison.surer >= SURE and comparison.new_accuracy >= comparison.old_accuracy


@dataclass(frozen=True, kw_only=True)
class _Crops:
    """The crops of a finetuning."""

    pretraining: list[Crop]
    target: list[Crop]  # labelled in the project


def finetune(
    workspace: Workspace,
    project_id: int,
    name: str,
    *,
    epochs: int = EPOCHS,
    rate: float | None = None,
    seed: int = 0,
    licence: str | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> Finetuning:
    """Train the project's embedder further, on the pretraining pool and the project's labels, as `name`.

    A quarter of the places, always the same, and every audit are never learned from. At these places two
    heads are compared, trained on the other labels with the vectors of either embedder. A killed run
    continues where it was; a finished one is only compared again, by the current labels. The project
    keeps its embedder: `use.use_embedder` changes it. Raises EmbedderError if the project's embedder was
    not trained by Wildloop, or if there are too few labels, and FileError if a file cannot be written.
    """
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
    if name in trained.names(workspace.data_dir):
        training = _existing(workspace.data_dir, name, project)
    else:
        manifest = _start(workspace, project)
        crops = _crops(workspace, name, project)
        request = TrainingRequest(
            root=workspace.data_dir,
            crops=[*crops.pretraining, *crops.target],
            recipe=replace(_recipe(manifest), epochs=epochs, seed=seed),
            sources=[f"project {project.id}", *([Role.PRETRAINING.value] if crops.pretraining else [])],
            start=str(manifest["spec"]),
            rate=rate,
            licence=licence,
            about={"target": {"project": project.id, "labels": len(crops.target)}},
        )
        training = train_embedder(workspace.data_dir, name, request, workers=workers, progress=progress)
    with workspace.database.read() as conn:  # the training takes hours: the project may have changed
        project = projects.get(conn, project_id)
    new = load(name, data_dir=workspace.data_dir)
    judged = None if new.id == project.embedder else _judged(workspace, project, new)
    return Finetuning(training=training, former=project.embedder, judged=judged)


def _start(workspace: Workspace, project: ProjectRecord) -> Mapping[str, Any]:
    """The manifest of the project's embedder, whose weights are the starting weights."""
    with workspace.database.read() as conn:
        manifest = embeddings.get_embedder(conn, project.embedder).manifest
    if manifest.get("kind") != "checkpoint":
        raise EmbedderError(
            f"{project.embedder} was not trained here, so it cannot be finetuned",
            remedy="`wildloop embedding train`, then `wildloop embedding use`",
        )
    # Raises EmbedderError if the weights have changed since.
    reload(project.embedder, manifest, data_dir=workspace.data_dir)
    return manifest


def _recipe(manifest: Mapping[str, Any]) -> Recipe:
    """The recipe that the embedder was trained by; for a checkpoint from elsewhere, one that fits it."""
    if "training" in manifest:
        return Recipe(**manifest["training"]["recipe"])
    return Recipe(backbone=manifest["backbone"], side=manifest["preprocessing"]["crop"])


def _existing(data_dir: Path, name: str, project: ProjectRecord) -> EmbedderTraining:
    """The embedder that an earlier run trained. Raises EmbedderError if it was for another project."""
    folder = trained.folder(data_dir, name)
    description = checkpoint.manifest(folder).get("training", {})
    if description.get("target", {}).get("project") != project.id:
        raise EmbedderError(
            f"{folder} was not finetuned for project {project.id}", remedy="give another --name"
        )
    working = state.folder_of(data_dir, name)
    shutil.rmtree(working, ignore_errors=True)  # left by a run killed just before it removed the folder
    return EmbedderTraining(name=name, folder=folder, existed=True, description=description, broken={})


def _crops(workspace: Workspace, name: str, project: ProjectRecord) -> _Crops:
    """The current crops, or if a training of this name has begun and not finished, those it began with."""
    trained.check_name(name)
    folder = state.folder_of(workspace.data_dir, name)
    path = folder / CROPS
    if path.exists() and (folder / state.FILE).exists():  # without a state, nothing was trained yet
        return _read_crops(path, project)
    crops = _current_crops(workspace, project)
    content = {
        "project": project.id,
        "others": [asdict(crop) for crop in crops.pretraining],
        "own": [asdict(crop) for crop in crops.target],
    }
    with atomic_file(path) as draft:
        draft.write_text(json.dumps(content), encoding="utf-8")
    return crops


def _current_crops(workspace: Workspace, project: ProjectRecord) -> _Crops:
    target = target_labels(workspace, project)
    with workspace.database.read() as conn:
        names = categories.names(conn)
    labelled = [
        Crop(
            file_name=target.paths[crop].relative_to(workspace.data_dir).as_posix(),
            species=names[target.labels[crop]],
            sequence=f"sequence {target.places[crop].sequence}",
            location=target.places[crop].location,
            tested=False,
        )
        for crop in target.learned
        if names[target.labels[crop]] != EMPTY
    ]
    try:
        pretraining = labelled_crops.of_store(workspace, Selection(roles=(Role.PRETRAINING,)))
    except SourceError:  # the pool is empty: the project's labels must suffice
        pretraining = []
    return _Crops(pretraining=pretraining, target=labelled)


def _read_crops(path: Path, project: ProjectRecord) -> _Crops:
    """The crops in the file. Raises EmbedderError if it is damaged or belongs to another project."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        pretraining, target = ([Crop(**crop) for crop in content[key]] for key in ("others", "own"))
        project_id = content["project"]
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise EmbedderError(f"{path} cannot be read: {exc}", remedy=f"delete {path.parent}") from exc
    if project_id != project.id:
        raise EmbedderError(
            f"{path.parent} is a training for project {project_id}, which is not finished",
            remedy="give another --name, or delete the folder",
        )
    return _Crops(pretraining=pretraining, target=target)


def _judged(workspace: Workspace, project: ProjectRecord, new: Embedder) -> Judged:
    """Compare the predictions for the judged crops of two heads, one with each embedder's vectors."""
    target = target_labels(workspace, project)
    pool = workspace.pool(project.embedder)
    paths = {crop: target.paths[crop] for crop in (*target.learned, *target.judged)}
    row_of, vectors = _embedded(new, paths)
    learned = [crop for crop in target.learned if crop in row_of]
    judged = [crop for crop in target.judged if crop in row_of]
    if not learned or not judged:
        raise EmbedderError(
            "no crop to learn from or none to judge by can be read",
            remedy=f"check that {workspace.data_dir} still holds the crops",
        )
    ids = [*learned, *judged]
    old_predictions = _predictions(target, learned, pool.rows(ids))
    new_predictions = _predictions(target, learned, vectors[[row_of[crop] for crop in ids]])
    truth = [target.labels[crop] for crop in judged]
    _, numbers = numbered([str(label) for label in (*truth, *old_predictions, *new_predictions)])
    places = [target.places[crop] for crop in judged]
    _, sequences = numbered([place.sequence for place in places])
    groups, by = clusters([place.location for place in places], sequences)
    true, former, finetuned = np.split(numbers, 3)
    return Judged(comparison=compare(true, former, finetuned, groups), by=by)


def _predictions(
    target: TargetLabels, learned: Sequence[str], vectors: npt.NDArray[np.floating]
) -> list[int]:
    """The categories that a head predicts for J judged crops after training on K `learned` crops.

    `vectors` (K + J, D) are those of the learned crops, then those of the judged crops.
    """
    examples = heads.Examples(
        embeddings=vectors[: len(learned)],
        labels=[target.labels[crop] for crop in learned],
        sequences=[target.places[crop].sequence for crop in learned],
        locations=[target.places[crop].location for crop in learned],
    )
    head = heads.fit(examples, embedder="", seed=0).head
    predicted: list[int] = head.predict(vectors[len(learned) :]).tolist()
    return predicted


def _embedded(
    embedder: Embedder, paths: Mapping[str, Path]
) -> tuple[dict[str, int], npt.NDArray[np.float32]]:
    """The row of each detection whose crop can be read, and the vectors (N, D)."""
    batches = list(crop_vectors(embedder, paths.items()))
    keys = [key for batch in batches for key in batch.keys]
    return {key: row for row, key in enumerate(keys)}, np.concatenate([batch.vectors for batch in batches])
