"""Crops of plain colours with noise, a colour for each species, on which tests train small networks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.embedder_training.corpus import corpus
from pipeline.embedder_training.recipe import Recipe
from pipeline.embedder_training.starting_weights import SCRATCH, begin
from pipeline.embedder_training.trainer import Trainer
from pipeline.embedders.network import Projected
from pipeline.evaluation.dataset_folder import Crop
from tests.helpers.photographs import encoded, put

COLOURS = {"deer": (40, 35, 30), "fox": (220, 80, 30), "frog": (60, 190, 60), "jay": (60, 80, 230)}
SMALL = Recipe(  # two batches an epoch of the crops below, less than a second each
    backbone="shufflenet_v2_x0_5",
    dimension=8,
    side=32,
    species_per_batch=4,
    crops_per_species=4,
    epochs=2,
)


def listed(*, species: int = 4, places: int = 4, each: int = 3, tested: bool = False) -> list[Crop]:
    """Crops of the first species, `each` at each place, a sequence for each crop, without files."""
    return [
        Crop(
            file_name=f"{name}/{place}_{number}.png",
            species=name,
            sequence=f"photograph {name} {place} {number}",
            location=f"place {place}",
            tested=tested,
        )
        for name in list(COLOURS)[:species]
        for place in range(places)
        for number in range(each)
    ]


def written(root: Path, crops: Sequence[Crop], *, noise: float = 25) -> list[Crop]:
    """The same crops, with their files below `root`."""
    rng = np.random.default_rng(0)
    for crop in crops:
        pixels = np.array(COLOURS[crop.species]) + rng.normal(scale=noise, size=(40, 40, 3))
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        put(root / crop.file_name, encoded(image, "PNG"))
    return list(crops)


def dataset(folder: Path, crops: Sequence[Crop]) -> Path:
    """A folder as `wildloop dataset make` writes it."""
    names = ["empty", *sorted({crop.species for crop in crops})]
    written(folder, crops)
    for split, tested in (("train", False), ("test", True)):
        rows = [
            (f"{split}{number}", crop)
            for number, crop in enumerate(crop for crop in crops if crop.tested is tested)
        ]
        document: dict[str, Any] = {
            "info": {"version": "1.0", "description": f"Crops of animals to {split} a classifier"},
            "images": [
                {
                    "id": key,
                    "file_name": crop.file_name,
                    "width": 40,
                    "height": 40,
                    "location": crop.location,
                    "seq_id": crop.sequence.partition(" ")[2],
                }
                for key, crop in rows
            ],
            "annotations": [
                {"id": f"a{key}", "image_id": key, "category_id": names.index(crop.species)}
                for key, crop in rows
            ],
            "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        }
        (folder / f"{split}.json").write_text(json.dumps(document))
    return folder


def changed(crop: Crop, **fields: Any) -> Crop:
    """The crop with other fields."""
    return Crop(**asdict(crop) | fields)


def network(recipe: Recipe = SMALL) -> Projected:
    """An untrained network."""
    return begin(recipe, SCRATCH, Path()).model


def trainer(
    root: Path, crops: Sequence[Crop], folder: Path, recipe: Recipe = SMALL, *, workers: int = 0
) -> Trainer:
    """A trainer that begins from scratch and keeps its files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    cropped = corpus(root, crops, seed=recipe.seed)
    return Trainer(cropped, recipe, network(recipe), folder, inputs="the same", workers=workers)
