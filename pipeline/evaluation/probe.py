"""How accurate a linear head is that is fitted on few labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Embeddings, Ints
from pipeline.heads import Examples, fit

LABELS = (10, 100, 1000)
DRAWS = 3  # of the labels; figures are means over them


def probe(
    vectors: Embeddings,
    species: Ints,
    sequences: Ints,
    locations: Sequence[str | None],
    *,
    learned: Ints,
    tested: Ints,
    labels: int,
    draws: int = DRAWS,
) -> float | None:
    """Accuracy on the rows `tested` of a head fitted on `labels` of the rows `learned`, drawn at random.

    `vectors` (N, D), `species`, `sequences` and `locations` (N,) are of all rows. Only tested rows whose
    species is among the learned rows count; a species that was not drawn counts as missed. None if there
    are fewer learned rows than labels, or no tested row counts. The same rows are drawn for all vectors.
    """
    judged = judged_rows(species, learned, tested)
    if labels > len(learned) or not len(judged):
        return None
    accuracies = []
    for seed in range(draws):
        rows = np.sort(np.random.default_rng(seed).permutation(learned)[:labels])
        examples = Examples(
            embeddings=vectors[rows],
            labels=species[rows].tolist(),
            sequences=[str(sequence) for sequence in sequences[rows]],
            locations=[locations[row] for row in rows],
        )
        head = fit(examples, embedder="", seed=seed).head
        accuracies.append(float((head.predict(vectors[judged]) == species[judged]).mean()))
    return float(np.mean(accuracies))


def judged_rows(species: Ints, learned: Ints, tested: Ints) -> Ints:
    """The rows of `tested` whose species is also among the rows `learned`."""
    rows: Ints = tested[np.isin(species[tested], species[learned])]
    return rows
