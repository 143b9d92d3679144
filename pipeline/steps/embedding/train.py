"""Labelled crops -> a trained embedder: a folder below `embedders/` of the data folder."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from joblib import cpu_count

from pipeline import __version__
from pipeline.embedders import checkpoint, trained
from pipeline.errors import EmbedderError
from pipeline.evaluation.dataset_folder import Crop
from pipeline.files.atomic import atomic_folder
from pipeline.identity import json_digest
from pipeline.records import utc_now
from pipeline.training import history, state
from pipeline.training.corpus import Corpus, corpus
from pipeline.training.recipe import FRESH_RATE, TUNING_RATE, Recipe
from pipeline.training.start import AUTO, PUBLISHED, SCRATCH, Start, begin
from pipeline.training.trainer import Trained, Trainer

LICENCE = "not stated: that of the photographs and of the starting weights"


@dataclass(frozen=True, kw_only=True)
class EmbedderTraining:
    """What one run of the step did."""

    name: str
    folder: Path
    known: bool  # there already, of the same inputs: nothing was trained
    description: dict[str, Any]  # the manifest's `training`
    broken: dict[str, str]  # file name: why it could not be read


def train_embedder(
    data_dir: Path,
    name: str,
    root: Path,
    crops: Sequence[Crop],
    recipe: Recipe,
    *,
    sources: Sequence[str],
    start: str = AUTO,
    rate: float | None = None,
    licence: str | None = None,
    workers: int | None = None,
    about: Mapping[str, Any] | None = None,
    progress: bool = False,
) -> EmbedderTraining:
    """Learn an embedder from crops below `root`, and keep it under `name`.

    `sources` says where the crops are from: `train.json`, pools, a project. `start` is as
    `training.start.begin` has it. `rate` stands in for the recipe's; where it is None, the rate is one that
    suits the starting weights. `licence` is a note that is kept with the weights, and so is `about`, JSON.

    A killed run is taken up where it ended, at `trainings/<name>/` of the data folder, by the same call.
    The same inputs train no second time. Raises EmbedderError where the name is taken by others, and
    SourceError where the crops are too few to learn from.
    """
    trained.check_name(name)
    if name in (PUBLISHED, SCRATCH):
        raise EmbedderError(f"{name!r} is what --start calls something else", remedy="give another --name")
    cropped = corpus(root, crops, seed=recipe.seed)
    begun = begin(recipe, start, data_dir)
    fitting = FRESH_RATE if begun.is_fresh else TUNING_RATE
    recipe = replace(recipe, rate=fitting if rate is None else rate)
    inputs = json_digest({"recipe": recipe.manifest(), "crops": cropped.digest, "start": begun.weights})
    working = state.folder_of(data_dir, name)
    if name in trained.names(data_dir):
        known = _known(data_dir, name, inputs)
        shutil.rmtree(working, ignore_errors=True)  # of a run that was killed when all was done but this
        return known
    with state.alone(working):
        trainer = Trainer(
            cropped,
            recipe,
            begun.model,
            working,
            inputs=inputs,
            workers=cpu_count() if workers is None else workers,
        )
        outcome = trainer.run(progress=progress)
        description = _description(cropped, recipe, outcome, begun, sources) | {
            "inputs": inputs,
            "licence": licence or LICENCE,
            **(about or {}),
        }
        with atomic_folder(data_dir / "embedders" / name) as draft:
            for file in (history.CSV, history.PICTURE):
                shutil.copyfile(working / file, draft / file)
            checkpoint.save(
                draft,
                name=recipe.backbone,
                model=begun.model,
                preprocessing=recipe.preprocessing,
                training=description,
            )
        shutil.rmtree(working)
    return EmbedderTraining(
        name=name,
        folder=data_dir / "embedders" / name,
        known=False,
        description=description,
        broken=outcome.broken,
    )


def _known(data_dir: Path, name: str, inputs: str) -> EmbedderTraining:
    folder = trained.folder(data_dir, name)
    description = checkpoint.manifest(folder).get("training", {})
    if description.get("inputs") != inputs:
        raise EmbedderError(
            f"{folder} holds an embedder of other crops or with other options", remedy="give another --name"
        )
    return EmbedderTraining(name=name, folder=folder, known=True, description=description, broken={})


def _description(
    cropped: Corpus, recipe: Recipe, outcome: Trained, begun: Start, sources: Sequence[str]
) -> dict[str, Any]:
    """JSON: what it learned from, how, and how well; species and sources with those of what it began with."""
    species = {cropped.names[one] for one in np.unique(cropped.species[cropped.learned])}
    places = {crop.location for crop in cropped.crops if crop.location is not None}
    return {
        "data": {
            "sources": sorted({*sources, *begun.sources}),
            "digest": cropped.digest,
            "crops": len(cropped.crops),
            "species": len(cropped.names),
            "locations": len(places),
            "learned": len(cropped.learned),
            "held_out_by": cropped.by,
            "unreadable": len(outcome.broken),
        },
        "classes": sorted({*species, *begun.classes}),
        "start": begun.weights,
        "recipe": recipe.manifest(),
        "metrics": {
            "recall_at_1": outcome.best.recall_at_1,
            "map_at_r": outcome.best.map_at_r,
            "epoch": outcome.best.epoch,
            "epochs": len(outcome.epochs),
            "steps": outcome.epochs[-1].step,
            "seconds": sum(one.seconds for one in outcome.epochs),
        },
        "created": utc_now().isoformat(),
        "libraries": {
            "wildloop": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
    }
