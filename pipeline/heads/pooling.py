"""One prediction for a sequence, pooled over its crops."""

from __future__ import annotations

import numpy as np

from pipeline.arrays import Floats, Ints
from pipeline.heads.linear import softmax


def pooled(probabilities: Floats, sequences: Ints) -> Floats:
    """Probabilities (N, C) that are equal for all rows of a sequence: their geometric mean, scaled to sum 1.

    `probabilities` (N, C) are of single crops; `sequences` (N,) is the number of each row's sequence. The
    mean of log-probabilities assumes that the crops of a sequence show one species and that their errors
    are fully dependent (Hinton's product of experts divided by their number). With one class, nothing
    changes.
    """
    if probabilities.shape[1] == 1 or not len(probabilities):
        return probabilities
    logs = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    _, group, counts = np.unique(sequences, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), probabilities.shape[1]))
    np.add.at(sums, group, logs)
    return softmax((sums / counts[:, None]).astype(np.float32))[group]
