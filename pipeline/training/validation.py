"""How well a network retrieves the species of crops from held-out places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.errors import EmbedderError
from pipeline.evaluation.retrieval import Rows, retrieval
from pipeline.training.corpus import Corpus
from pipeline.training.forward import Forward
from pipeline.training.reader import Plain, batches
from pipeline.training.recipe import Recipe

BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Validation:
    """What was found."""

    recall_at_1: float
    map_at_r: float
    broken: Mapping[int, str]  # row: why it could not be read


def validate(forward: Forward, corpus: Corpus, recipe: Recipe, workers: int) -> Validation | None:
    """The validation crops asked, learned ones answering, as the embedder will see them.

    None where the network gives numbers that are none. EmbedderError where no validation crop can be read.
    """
    forward.model.eval()
    done, found = [], [np.empty((0, recipe.dimension), np.float32)]
    broken: dict[int, str] = {}
    wanted = np.union1d(corpus.asked, corpus.answering).tolist()
    data = Plain(corpus, recipe)
    with torch.inference_mode():
        for batch in batches(data, workers, pinned=forward.is_gpu, sampler=wanted, batch_size=BATCH):
            broken |= batch.broken
            done.append(batch.rows.numpy())
            if len(batch.rows):
                found.append(forward.vectors(batch).cpu().numpy())
    rows, vectors = np.concatenate(done), np.concatenate(found)
    if not np.isfinite(vectors).all():
        return None
    asked, answering = (
        Rows(
            vectors=vectors[there],
            species=corpus.species[rows[there]],
            sequences=corpus.sequences[rows[there]],
        )
        for there in (np.isin(rows, corpus.asked), np.isin(rows, corpus.answering))
    )
    figures = retrieval(asked, answering)
    if figures.map_at_r is None or figures.recall_at_1 is None:
        raise EmbedderError(
            "no validation crop can be read", remedy="are the crops where the dataset says they are?"
        )
    return Validation(recall_at_1=figures.recall_at_1, map_at_r=figures.map_at_r, broken=broken)
