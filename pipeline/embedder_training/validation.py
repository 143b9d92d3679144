"""How well a network retrieves the species of crops from held-out locations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.embedder_training.corpus import Corpus
from pipeline.embedder_training.forward import Forward
from pipeline.embedder_training.reader import Plain, batches
from pipeline.embedder_training.recipe import Recipe
from pipeline.errors import EmbedderError
from pipeline.evaluation.retrieval import Rows, retrieval

BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Validation:
    """The metrics of one validation."""

    recall_at_1: float
    map_at_r: float
    broken: Mapping[int, str]  # row: why it cannot be read


def validate(forward: Forward, corpus: Corpus, recipe: Recipe, workers: int) -> Validation | None:
    """Retrieve the validation crops from crops that were trained on, with the embedder's preprocessing.

    None if the network returns values that are not finite. Raises EmbedderError if no validation crop can
    be read.
    """
    forward.model.eval()
    row_batches, vector_batches = [], [np.empty((0, recipe.dimension), np.float32)]
    broken: dict[int, str] = {}
    wanted = np.union1d(corpus.queries, corpus.gallery).tolist()
    data = Plain(corpus, recipe)
    with torch.inference_mode():
        for batch in batches(data, workers, pinned=forward.is_gpu, sampler=wanted, batch_size=BATCH):
            broken |= batch.broken
            row_batches.append(batch.rows.numpy())
            if len(batch.rows):
                vector_batches.append(forward.vectors(batch).cpu().numpy())
    rows, vectors = np.concatenate(row_batches), np.concatenate(vector_batches)
    if not np.isfinite(vectors).all():
        return None
    queries, gallery = (
        Rows(
            vectors=vectors[chosen],
            species=corpus.species[rows[chosen]],
            sequences=corpus.sequences[rows[chosen]],
        )
        for chosen in (np.isin(rows, corpus.queries), np.isin(rows, corpus.gallery))
    )
    found = retrieval(queries, gallery)
    if found.map_at_r is None or found.recall_at_1 is None:
        raise EmbedderError(
            "no validation crop can be read", remedy="check that the files of the dataset are in place"
        )
    return Validation(recall_at_1=found.recall_at_1, map_at_r=found.map_at_r, broken=broken)
