"""Crops decoded by worker processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from pipeline.errors import PhotoError
from pipeline.images import Photo, read_file
from pipeline.training.augmentation import LEAST_AREA, augmentation
from pipeline.training.corpus import Corpus
from pipeline.training.recipe import Recipe
from pipeline.training.sampler import Draw

Read = tuple[int, torch.Tensor | str]  # a row, and its pixels or why it has none


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """What a step learns from."""

    rows: torch.Tensor  # (N,) of the corpus
    pixels: torch.Tensor  # uint8 (N, 3, side, side)
    broken: dict[int, str]  # row: why; not among `rows`

    def pin_memory(self) -> Batch:
        """For a quick copy to a GPU; called by DataLoader."""
        return Batch(rows=self.rows.pin_memory(), pixels=self.pixels.pin_memory(), broken=self.broken)


class Augmented(Dataset[Read]):
    """Crops as the camera might have taken them; item (row, seed) is a function of both alone."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        self._corpus, self._side = corpus, recipe.side
        self._augment = augmentation(recipe.side)

    def __getitem__(self, draw: Draw) -> Read:
        row, seed = draw
        # A part of this area is still drawn at `side` pixels without being enlarged.
        image = _decoded(self._corpus, row, self._side / LEAST_AREA**0.5)
        if isinstance(image, str):
            return row, image
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return row, self._augment(image)


class Plain(Dataset[Read]):
    """Crops as the embedder will see them; item is the row."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        self._corpus, self._preprocessing = corpus, recipe.preprocessing

    def __getitem__(self, row: int) -> Read:
        image = _decoded(self._corpus, row, self._preprocessing.resize)
        if isinstance(image, str):
            return row, image
        return row, torch.from_numpy(self._preprocessing.pixels([image])[0]).permute(2, 0, 1)


def loader(data: Dataset[Read], workers: int, *, pinned: bool, **batches: Any) -> DataLoader[Any]:
    """Batches of the dataset, read ahead by `workers` processes; in this one where it is 0."""
    collate: Callable[[Sequence[Read]], Batch] = together
    return DataLoader(data, num_workers=workers, collate_fn=collate, pin_memory=pinned, **batches)


def together(read: Sequence[Read]) -> Batch:
    """A batch of what could be read."""
    good = [(row, pixels) for row, pixels in read if not isinstance(pixels, str)]
    return Batch(
        rows=torch.tensor([row for row, _ in good], dtype=torch.long),
        pixels=torch.stack([pixels for _, pixels in good]) if good else torch.empty(0, 3, 1, 1),
        broken={row: why for row, why in read if isinstance(why, str)},
    )


def _decoded(corpus: Corpus, row: int, side: float) -> Image.Image | str:
    """The crop, its shorter side at least `side` pixels where it has them, or why it cannot be read."""
    try:
        photo = Photo(read_file(corpus.path(row)))
        return photo.pixels(min(1.0, side / min(photo.width, photo.height)))
    except PhotoError as exc:
        return str(exc)
