"""How right a linear head is that has learnt from few labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.heads import Examples, fit

LABELS = (10, 100, 1000)
DRAWS = 3  # of the labels; figures are means over them

Ints = npt.NDArray[np.intp]


def probe(
    vectors: npt.NDArray[np.floating],
    species: Ints,
    sequences: Ints,
    locations: Sequence[str | None],
    *,
    learned: Ints,
    tested: Ints,
    labels: int,
    draws: int = DRAWS,
) -> float | None:
    """Accuracy on the rows `tested` of our head, fitted on `labels` of the rows `learned` drawn at random.

    Judged are the tested rows whose species is among `learned`; a species that was not drawn is missed.
    None where there are fewer rows to learn from than labels, or none to judge by. The same rows are
    drawn whatever the vectors.
    """
    judged = judged_rows(species, learned, tested)
    if labels > len(learned) or not len(judged):
        return None
    right = []
    for seed in range(draws):
        rows = np.sort(np.random.default_rng(seed).permutation(learned)[:labels])
        examples = Examples(
            embeddings=vectors[rows],
            labels=species[rows].tolist(),
            sequences=[str(one) for one in sequences[rows]],
            locations=[locations[one] for one in rows],
        )
        head = fit(examples, embedder="", seed=seed).head
        right.append(float((head.answers(vectors[judged]) == species[judged]).mean()))
    return float(np.mean(right))


def judged_rows(species: Ints, learned: Ints, tested: Ints) -> Ints:
    """Those of the rows `tested` whose species the rows `learned` show, too."""
    rows: Ints = tested[np.isin(species[tested], species[learned])]
    return rows
