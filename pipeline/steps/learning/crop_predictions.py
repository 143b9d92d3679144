"""What a version says of a few crops, without opening the pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Floats
from pipeline.heads.pooling import pooled
from pipeline.records import ModelRecord
from pipeline.steps.learning.predict import load_head
from pipeline.store import embeddings
from pipeline.workspace import Workspace

Said = tuple[int, float]  # a category id and its probability


@dataclass(frozen=True, kw_only=True, eq=False)
class CropPredictions:
    """Nothing before the first head, or of a crop without a vector."""

    categories: Sequence[int]  # (C,)
    probabilities: Mapping[str, Floats]  # (C,) by detection id

    def of(self, crop: str) -> Said | None:
        """The likeliest category of the crop."""
        return self.together([crop])

    def together(self, crops: Sequence[str]) -> Said | None:
        """The likeliest category of crops that show the same."""
        known = [self.probabilities[crop] for crop in crops if crop in self.probabilities]
        if not known:
            return None
        shares = pooled(np.stack(known), np.zeros(len(known), np.intp))[0]
        return self.categories[int(shares.argmax())], float(shares.max())


def crop_predictions(
    workspace: Workspace, version: ModelRecord | None, ids: Sequence[str]
) -> CropPredictions:
    """What the version says of these crops. Raises ModelError if its files are damaged."""
    if version is None or version.path is None:
        return CropPredictions(categories=(), probabilities={})
    head = load_head(workspace, version)
    with workspace.database.read() as conn:
        vectors = embeddings.vectors(conn, version.embedder, ids)
    if not vectors:
        return CropPredictions(categories=(), probabilities={})
    rows = head.probabilities(np.stack(list(vectors.values())))
    return CropPredictions(categories=head.classes, probabilities=dict(zip(vectors, rows, strict=True)))
