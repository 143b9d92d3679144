"""Labelled crops -> a trained embedder: a folder below `embedders/` of the data folder."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from joblib import cpu_count

from pipeline import __version__
from pipeline.embedder_training import history, state
from pipeline.embedder_training.corpus import Corpus, corpus
from pipeline.embedder_training.recipe import FRESH_RATE, TUNING_RATE, Recipe
from pipeline.embedder_training.starting_weights import AUTO, PUBLISHED, SCRATCH, Start, begin
from pipeline.embedder_training.trainer import Trained, Trainer
from pipeline.embedders import checkpoint, trained
from pipeline.errors import EmbedderError
from pipeline.evaluation.dataset_folder import Crop
from pipeline.files.atomic import atomic_folder
from pipeline.identity import json_digest
from pipeline.records import utc_now

LICENCE = "not stated: that of the photographs and of the starting weights"


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """What to train an embedder on, and how."""

    root: Path  # the folder that the crops' file names are below
    crops: Sequence[Crop]
    recipe: Recipe
    sources: Sequence[str]  # where the crops are from: `train.json`, pools, a project
    start: str = AUTO  # the starting weights, as `training.start.begin` takes them
    rate: float | None = None  # replaces the recipe's; None: a rate that suits the starting weights
    licence: str | None = None  # a note that is kept with the weights
    about: Mapping[str, Any] = field(default_factory=dict)  # JSON that is kept with the weights


@dataclass(frozen=True, kw_only=True)
class EmbedderTraining:
    """A trained embedder."""

    name: str
    folder: Path
    existed: bool  # trained before on the same inputs, so not again
    description: dict[str, Any]  # the manifest's `training`
    broken: dict[str, str]  # file name: why it could not be read


@dataclass(frozen=True, kw_only=True, eq=False)
class _Plan:
    """A request with its crops split, its starting weights loaded, and its learning rate chosen."""

    corpus: Corpus
    recipe: Recipe
    start: Start
    inputs: str  # a digest of all three


def train_embedder(
    data_dir: Path,
    name: str,
    request: TrainingRequest,
    *,
    workers: int | None = None,
    progress: bool = False,
) -> EmbedderTraining:
    """Train an embedder and keep it under `name`.

    `workers` is the number of processes that decode crops, by default one for each core. A killed run
    continues where it was, from `trainings/<name>/` of the data folder, when it is called again. The same
    inputs are not trained on twice. Raises EmbedderError if the name belongs to other inputs, and
    SourceError if the crops are too few to learn from.
    """
    trained.check_name(name)
    if name in (PUBLISHED, SCRATCH):
        raise EmbedderError(
            f"{name!r} cannot name an embedder: it is a value of --start", remedy="give another --name"
        )
    plan = _plan(data_dir, request)
    working = state.folder_of(data_dir, name)
    if name in trained.names(data_dir):
        existing = _existing(data_dir, name, plan.inputs)
        shutil.rmtree(working, ignore_errors=True)  # left by a run killed just before it removed the folder
        return existing
    folder = data_dir / "embedders" / name
    with state.alone(working):
        trainer = Trainer(
            plan.corpus,
            plan.recipe,
            plan.start.model,
            working,
            inputs=plan.inputs,
            workers=cpu_count() if workers is None else workers,
        )
        outcome = trainer.run(progress=progress)
        description = _description(plan, outcome, request)
        _save(folder, working, plan, description)
        shutil.rmtree(working)
    return EmbedderTraining(
        name=name, folder=folder, existed=False, description=description, broken=outcome.broken
    )


def _plan(data_dir: Path, request: TrainingRequest) -> _Plan:
    crops = corpus(request.root, request.crops, seed=request.recipe.seed)
    start = begin(request.recipe, request.start, data_dir)
    suitable = FRESH_RATE if start.is_fresh else TUNING_RATE
    recipe = replace(request.recipe, rate=suitable if request.rate is None else request.rate)
    inputs = json_digest({"recipe": recipe.manifest(), "crops": crops.digest, "start": start.weights})
    return _Plan(corpus=crops, recipe=recipe, start=start, inputs=inputs)


def _existing(data_dir: Path, name: str, inputs: str) -> EmbedderTraining:
    """The embedder of this name. Raises EmbedderError if it was trained on other inputs."""
    folder = trained.folder(data_dir, name)
    description = checkpoint.manifest(folder).get("training", {})
    if description.get("inputs") != inputs:
        raise EmbedderError(
            f"{folder} holds an embedder of other crops or with other options", remedy="give another --name"
        )
    return EmbedderTraining(name=name, folder=folder, existed=True, description=description, broken={})


def _save(folder: Path, working: Path, plan: _Plan, description: dict[str, Any]) -> None:
    """Write the embedder's folder, whole or not at all: weights, manifest, log and curves."""
    with atomic_folder(folder) as draft:
        for file in (history.CSV, history.PICTURE):
            shutil.copyfile(working / file, draft / file)
        checkpoint.save(
            draft,
            name=plan.recipe.backbone,
            model=plan.start.model,
            preprocessing=plan.recipe.preprocessing,
            training=description,
        )


def _description(plan: _Plan, outcome: Trained, request: TrainingRequest) -> dict[str, Any]:
    """The manifest's `training`, as JSON: what the embedder was trained on, how, and how good it is.

    Species and sources include those of the starting weights.
    """
    crops, start = plan.corpus, plan.start
    species = {crops.names[number] for number in np.unique(crops.species[crops.learned])}
    locations = {crop.location for crop in crops.crops if crop.location is not None}
    return {
        "data": {
            "sources": sorted({*request.sources, *start.sources}),
            "digest": crops.digest,
            "crops": len(crops.crops),
            "species": len(crops.names),
            "locations": len(locations),
            "learned": len(crops.learned),
            "held_out_by": crops.by,
            "unreadable": len(outcome.broken),
        },
        "classes": sorted({*species, *start.classes}),
        "start": start.weights,
        "recipe": plan.recipe.manifest(),
        "metrics": {
            "recall_at_1": outcome.best.recall_at_1,
            "map_at_r": outcome.best.map_at_r,
            "epoch": outcome.best.epoch,
            "epochs": len(outcome.epochs),
            "steps": outcome.epochs[-1].step,
            "seconds": sum(epoch.seconds for epoch in outcome.epochs),
        },
        "created": utc_now().isoformat(),
        "libraries": {
            "wildloop": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
        "inputs": plan.inputs,
        "licence": request.licence or LICENCE,
        **request.about,
    }
