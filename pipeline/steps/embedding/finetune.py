"""A project's embedder + what people labelled -> one that knows the target, in use where it does better."""

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
from pipeline.steps.embedding.train import EmbedderTraining, train_embedder
from pipeline.store import categories, embeddings, projects
from pipeline.training import state
from pipeline.training.recipe import Recipe
from pipeline.workspace import Workspace

SURE = 0.9  # share of bootstrap draws in which the new embedder must do better
EPOCHS = 10
CROPS = "crops.json"  # in the folder of the training: what it began with, whatever is labelled meanwhile


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The project's embedder and the new one, on crops that the new one has never seen."""

    comparison: Comparison
    by: str  # what its clusters are: location, or sequence where all crops are of one location


@dataclass(frozen=True, kw_only=True)
class Finetuning:
    """What one run of the step came to."""

    training: EmbedderTraining
    former: str  # id of the project's embedder, with which the new one is compared
    judged: Judged | None  # None where that is the new one already

    @property
    def is_better(self) -> bool:
        """Whether the project should work with the new embedder."""
        if self.judged is None or self.judged.comparison.clusters < 2:  # one cluster is always drawn whole
            return False
        found = self.judged.comparison
        return found.surer >= SURE and found.new_accuracy >= found.old_accuracy


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
    """Train on from the project's embedder, on the pretraining pool and the project's labels, as `name`.

    A quarter of the places, always the same, is never learned from, nor is any audit: at these places heads
    are compared that learned the other labels in the vectors of either embedder. A killed run is taken up
    where it ended; one that ended is judged again by the labels of now. The project stays as it is:
    `steps.use_embedder` changes it. Raises EmbedderError where the project's embedder has no weights of ours
    or too little is labelled.
    """
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
    if name in trained.names(workspace.data_dir):
        training = _trained(workspace.data_dir, name, project)
    else:
        manifest = _start(workspace, project)
        others, own = _crops(workspace, name, project)
        training = train_embedder(
            workspace.data_dir,
            name,
            workspace.data_dir,
            [*others, *own],
            replace(_recipe(manifest), epochs=epochs, seed=seed),
            sources=[f"project {project.id}", *([Role.PRETRAINING.value] if others else [])],
            start=str(manifest["spec"]),
            rate=rate,
            licence=licence,
            workers=workers,
            about={"target": {"project": project.id, "labels": len(own)}},
            progress=progress,
        )
    with workspace.database.read() as conn:  # hours later somebody may have changed its embedder
        project = projects.get(conn, project_id)
    new = load(name, data_dir=workspace.data_dir)
    judged = None if new.id == project.embedder else _judged(workspace, project, new)
    return Finetuning(training=training, former=project.embedder, judged=judged)


def _start(workspace: Workspace, project: ProjectRecord) -> Mapping[str, Any]:
    """The manifest of the project's embedder, whose weights are to be trained on."""
    with workspace.database.read() as conn:
        manifest = embeddings.get_embedder(conn, project.embedder).manifest
    if manifest.get("kind") != "checkpoint":
        raise EmbedderError(
            f"{project.embedder} was not trained here, so it cannot be trained on",
            remedy="`wildloop embedding train`, then `wildloop embedding use`",
        )
    reload(
        project.embedder, manifest, data_dir=workspace.data_dir
    )  # raises where they are other weights by now
    return manifest


def _recipe(manifest: Mapping[str, Any]) -> Recipe:
    """How the embedder was trained; of a checkpoint that came from elsewhere, what it is."""
    if "training" in manifest:
        return Recipe(**manifest["training"]["recipe"])
    return Recipe(backbone=manifest["backbone"], side=manifest["preprocessing"]["crop"])


def _trained(data_dir: Path, name: str, project: ProjectRecord) -> EmbedderTraining:
    """The embedder as an earlier run left it."""
    folder = trained.folder(data_dir, name)
    description = checkpoint.manifest(folder).get("training", {})
    if description.get("target", {}).get("project") != project.id:
        raise EmbedderError(
            f"{folder} was not finetuned for project {project.id}", remedy="give another --name"
        )
    shutil.rmtree(
        state.folder_of(data_dir, name), ignore_errors=True
    )  # of a run that was killed at the very end
    return EmbedderTraining(name=name, folder=folder, known=True, description=description, broken={})


def _crops(workspace: Workspace, name: str, project: ProjectRecord) -> tuple[list[Crop], list[Crop]]:
    """The pretraining pool, and what is labelled in the project.

    Of now, or of then where a training of this name began and is not finished.
    """
    trained.check_name(name)
    folder = state.folder_of(workspace.data_dir, name)
    path = folder / CROPS
    if path.exists() and (folder / state.FILE).exists():  # without a state nothing has begun
        return _begun(path, project)
    target = target_labels(workspace, project)
    with workspace.database.read() as conn:
        names = categories.names(conn)
    own = [
        Crop(
            file_name=target.paths[one].relative_to(workspace.data_dir).as_posix(),
            species=names[target.labels[one]],
            sequence=f"sequence {target.places[one].sequence}",
            location=target.places[one].location,
            tested=False,
        )
        for one in target.known
        if names[target.labels[one]] != EMPTY
    ]
    try:
        others = labelled_crops.of_store(workspace, Selection(roles=(Role.PRETRAINING,)))
    except SourceError:  # the pool is empty: the labels alone must do
        others = []
    begun = {
        "project": project.id,
        "others": [asdict(one) for one in others],
        "own": [asdict(one) for one in own],
    }
    with atomic_file(path) as draft:
        draft.write_text(json.dumps(begun), encoding="utf-8")
    return others, own


def _begun(path: Path, project: ProjectRecord) -> tuple[list[Crop], list[Crop]]:
    """What the file says. EmbedderError where it cannot be read or is of another project's training."""
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
        others, own = ([Crop(**one) for one in begun[key]] for key in ("others", "own"))
        whose = begun["project"]
    except (OSError, ValueError, TypeError, KeyError) as exc:
        raise EmbedderError(f"{path} cannot be read: {exc}", remedy=f"delete {path.parent}") from exc
    if whose != project.id:
        raise EmbedderError(
            f"{path.parent} is a training for project {whose}, which is not finished",
            remedy="give another --name, or delete the folder",
        )
    return others, own


def _judged(workspace: Workspace, project: ProjectRecord, new: Embedder) -> Judged:
    """Answers at the judged crops of heads that learned the others, in the vectors of each embedder."""
    target = target_labels(workspace, project)
    pool = workspace.pool(project.embedder)
    there, vectors = _embedded(new, {one: target.paths[one] for one in (*target.known, *target.judged)})
    known = [one for one in target.known if one in there]
    judged = [one for one in target.judged if one in there]
    if not known or not judged:
        raise EmbedderError(
            "no crop to learn from or none to judge by can be read",
            remedy=f"are they in {workspace.data_dir}?",
        )
    ids = [*known, *judged]
    answers = [
        _answers(target, known, rows) for rows in (pool.rows(ids), vectors[[there[one] for one in ids]])
    ]
    truth = [target.labels[one] for one in judged]
    _, numbers = numbered([str(one) for one in (*truth, *answers[0], *answers[1])])
    places = [target.places[one] for one in judged]
    _, sequences = numbered([place.sequence for place in places])
    at, by = clusters([place.location for place in places], sequences)
    true, before, after = np.split(numbers, 3)
    return Judged(comparison=compare(true, before, after, at), by=by)


def _answers(target: TargetLabels, known: Sequence[str], vectors: npt.NDArray[np.floating]) -> list[int]:
    """What a head says that learned the K known crops; `vectors` (K + J, D) are theirs, then the judged."""
    examples = heads.Examples(
        embeddings=vectors[: len(known)],
        labels=[target.labels[one] for one in known],
        sequences=[target.places[one].sequence for one in known],
        locations=[target.places[one].location for one in known],
    )
    head = heads.fit(examples, embedder="", seed=0).head
    said: list[int] = head.predict(vectors[len(known) :]).tolist()
    return said


def _embedded(
    embedder: Embedder, paths: Mapping[str, Path]
) -> tuple[dict[str, int], npt.NDArray[np.float32]]:
    """The row of each detection whose crop can be read, and the rows (N, D)."""
    batches = list(crop_vectors(embedder, paths.items()))
    keys = [key for batch in batches for key in batch.keys]
    return {key: row for row, key in enumerate(keys)}, np.concatenate([batch.vectors for batch in batches])
