"""One answer for a burst: what its crops say together."""

from __future__ import annotations

import numpy as np

from pipeline.heads.linear import softmax
from pipeline.heads.logistic import Floats, Ints


def pooled(probabilities: Floats, sequences: Ints) -> Floats:
    """Probabilities (N, C) in which all rows of a sequence have the same: their geometric mean, to sum 1.

    `probabilities` (N, C) of single crops, `sequences` (N,) the number of each row's sequence. The mean
    of log-probabilities is the answer of experts who err alike (Hinton's product, with their number
    taken out); it takes the crops of a sequence for one species. A head of one class stays as it is.
    """
    if probabilities.shape[1] == 1 or not len(probabilities):
        return probabilities
    logs = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    _, group, counts = np.unique(sequences, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), probabilities.shape[1]))
    np.add.at(sums, group, logs)
    return softmax((sums / counts[:, None]).astype(np.float32))[group]
