"""Which crops make a batch: P species with K crops each, from as many sequences as there are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from pipeline.arrays import Ints
from pipeline.embedder_training.corpus import Corpus, by_species
from pipeline.embedder_training.recipe import Recipe

# Species are drawn in proportion to the square root of their crops (Mahajan et al., arXiv 1805.00932): often
# enough to learn rare ones, and not so often that their few crops are memorised.
TAIL = 0.5
WIDER = 8  # times K crops of a species are drawn, of which K from different sequences are used
Draw = tuple[int, int]  # a row, and the seed of its augmentation


class Balanced(Sampler[list[Draw]]):
    """Batches `first` to `last`, each determined by its number and the seed alone.

    So a training that was killed continues with the same batches.
    """

    def __init__(
        self,
        rows: Ints,
        species: Ints,
        sequences: Ints,
        *,
        species_per_batch: int,
        crops_per_species: int,
        seed: int,
        first: int,
        last: int,
    ) -> None:
        """`rows` are drawn from; `species` and `sequences` (N,) are of all rows."""
        self._seed, self._first, self._last = seed, first, last
        self._sequences = sequences
        self._rows = by_species(rows, species[rows])
        weight = np.array([len(rows_of_species) for rows_of_species in self._rows]) ** TAIL
        self._chances = weight / weight.sum()
        self._taken = min(species_per_batch, len(self._rows))
        # With fewer species than a batch needs, each gives more crops.
        self._each = -(-species_per_batch * crops_per_species // self._taken)

    @classmethod
    def of(cls, corpus: Corpus, recipe: Recipe, *, first: int, last: int) -> Balanced:
        """The batches of a corpus by the recipe."""
        return cls(
            corpus.learned,
            corpus.species,
            corpus.sequences,
            species_per_batch=recipe.species_per_batch,
            crops_per_species=recipe.crops_per_species,
            seed=recipe.seed,
            first=first,
            last=last,
        )

    def __len__(self) -> int:
        return self._last - self._first

    def __iter__(self) -> Iterator[list[Draw]]:
        for number in range(self._first, self._last):
            yield self.batch(number)

    def batch(self, number: int) -> list[Draw]:
        """The batch with this number."""
        rng = np.random.default_rng([self._seed, number])
        chosen = rng.choice(len(self._rows), self._taken, replace=False, p=self._chances)
        rows = np.concatenate([self._few(self._rows[number_of_species], rng) for number_of_species in chosen])
        seeds = rng.integers(2**62, size=len(rows))
        return [(int(row), int(seed)) for row, seed in zip(rows, seeds, strict=True)]

    def _few(self, rows: Ints, rng: np.random.Generator) -> Ints:
        """K rows of a species: other sequences before other frames, other frames before repeats."""
        drawn = rng.choice(rows, min(len(rows), WIDER * self._each), replace=False)
        counted: dict[int, int] = {}
        turn = np.empty(len(drawn), np.intp)
        for at, sequence in enumerate(self._sequences[drawn].tolist()):
            turn[at] = counted[sequence] = counted.get(sequence, -1) + 1
        ordered = drawn[np.argsort(turn, kind="stable")]
        return np.resize(ordered, self._each)
