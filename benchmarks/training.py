"""How fast an embedder is trained, compared with its steps alone and its reading alone.

    python benchmarks/training.py --dataset DIR [--crops 1024] [--side 224] [--repeats 3]

DIR is a folder that `wildloop dataset make` wrote. Each repeat measures all of them in turn, so that noise of
the machine affects all; results are means.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from joblib import cpu_count

from pipeline.embedder_training.corpus import Corpus, corpus
from pipeline.embedder_training.reader import Augmented, Batch, batches
from pipeline.embedder_training.recipe import Recipe
from pipeline.embedder_training.sampler import Balanced
from pipeline.embedder_training.starting_weights import SCRATCH, begin
from pipeline.embedder_training.trainer import Trainer
from pipeline.embedders.hardware import torch_device
from pipeline.steps.datasets.labelled_crops import of_folder

NETWORKS = ("mobilenet_v3_large", "resnet18", "resnet50")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--crops", type=int, default=1024)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    options = parser.parse_args()
    crops = of_folder(options.dataset)
    chosen = np.random.default_rng(0).permutation(len(crops))[: options.crops]
    taken = corpus(options.dataset, [crops[row] for row in chosen], seed=0)
    workers = cpu_count()
    print(f"{workers} cores, {torch_device()}, {len(taken.learned)} crops, {workers} decoding processes")
    for name in options.networks:
        recipe = Recipe(backbone=name, side=options.side, epochs=2)
        rates = np.array([_rates(taken, recipe, workers) for _ in range(options.repeats)])
        training, steps, reading = rates.mean(axis=0)
        print(
            f"{name:20} training {training:6.1f} crops/s, steps alone {steps:6.1f}, reading alone "
            f"{reading:6.1f}: {training / min(steps, reading):.2f} of the slower (wanted: 0.8)"
        )


def _rates(taken: Corpus, recipe: Recipe, workers: int) -> tuple[float, float, float]:
    """Crops a second of a whole epoch, of its steps on batches read before, and of its reading."""
    with tempfile.TemporaryDirectory() as folder:
        model = begin(recipe, SCRATCH, Path(folder)).model
        trainer = Trainer(taken, recipe, model, Path(folder), inputs="benchmark", workers=workers)
        whole = trainer.run().epochs[1].crops_per_second  # the first one starts the processes
    began = time.monotonic()
    read = _read(taken, recipe, workers)
    crops = sum(len(batch.rows) for batch in read)
    reading = crops / (time.monotonic() - began)
    with tempfile.TemporaryDirectory() as folder:
        model = begin(recipe, SCRATCH, Path(folder)).model
        trainer = Trainer(taken, recipe, model, Path(folder), inputs="benchmark", workers=0)
        trainer.learn(read[0])  # the first step allocates what later steps reuse
        began = time.monotonic()
        for batch in read:
            trainer.learn(batch)
        return whole, crops / (time.monotonic() - began), reading


def _read(taken: Corpus, recipe: Recipe, workers: int) -> list[Batch]:
    sampler = Balanced.of(taken, recipe, first=0, last=recipe.steps(len(taken.learned)))
    return list(batches(Augmented(taken, recipe), workers, pinned=False, batch_sampler=sampler))


if __name__ == "__main__":
    main()
