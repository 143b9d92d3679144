"""Crops decoded by worker processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from pipeline.embedder_training.augmentation import LEAST_AREA, augmentation
from pipeline.embedder_training.corpus import Corpus
from pipeline.embedder_training.recipe import Recipe
from pipeline.embedder_training.sampler import Draw
from pipeline.embedders.preprocessing import SPARE
from pipeline.errors import EmbedderError, PhotoError
from pipeline.images import Photo, read_file

Read = tuple[int, torch.Tensor | str]  # a row, and its pixels or why they cannot be read


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """The crops of one step."""

    rows: torch.Tensor  # (N,) of the corpus
    pixels: torch.Tensor  # uint8 (N, 3, side, side)
    broken: dict[int, str]  # row: why it cannot be read; not among `rows`

    def pin_memory(self) -> Batch:
        """For a fast copy to a GPU; called by DataLoader."""
        return Batch(rows=self.rows.pin_memory(), pixels=self.pixels.pin_memory(), broken=self.broken)


class Augmented(Dataset[Read]):
    """Augmented crops; the item (row, seed) depends on these two alone."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        self._files, self._side = _Files(corpus), recipe.side
        self._augment = augmentation(recipe.side)

    def __getitem__(self, draw: Draw) -> Read:
        row, seed = draw
        # At this size, the smallest part that augmentation takes still has `side` pixels.
        image = self._files.decoded(row, self._side / LEAST_AREA**0.5)
        if isinstance(image, str):
            return row, image
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return row, self._augment(image)


class Plain(Dataset[Read]):
    """Crops with the embedder's preprocessing; the item is the row."""

    def __init__(self, corpus: Corpus, recipe: Recipe) -> None:
        self._files, self._preprocessing = _Files(corpus), recipe.preprocessing

    def __getitem__(self, row: int) -> Read:
        image = self._files.decoded(row, SPARE * self._preprocessing.resize)
        if isinstance(image, str):
            return row, image
        return row, torch.from_numpy(self._preprocessing.pixels([image])[0]).permute(2, 0, 1)


def batches(data: Dataset[Read], workers: int, *, pinned: bool, **order: Any) -> Iterator[Batch]:
    """Batches of the dataset, read ahead by `workers` processes, or in this process if that is 0.

    `order` holds arguments of torch's DataLoader. Raises EmbedderError if a process dies.
    """
    try:
        yield from DataLoader(data, num_workers=workers, collate_fn=together, pin_memory=pinned, **order)
    except RuntimeError as exc:
        if "DataLoader worker" not in str(exc):
            raise
        raise EmbedderError(
            f"a process that decodes crops died: {exc}",
            remedy="provide more (shared) memory, or train with fewer --workers; 0 needs none",
        ) from exc


def together(read: Sequence[Read]) -> Batch:
    """A batch of the crops that could be read."""
    good = [(row, pixels) for row, pixels in read if not isinstance(pixels, str)]
    return Batch(
        rows=torch.tensor([row for row, _ in good], dtype=torch.long),
        pixels=torch.stack([pixels for _, pixels in good]) if good else torch.empty(0, 3, 1, 1),
        broken={row: why for row, why in read if isinstance(why, str)},
    )


class _Files:
    """The files of the crops. Names are in one array, because processes would copy a million strings."""

    def __init__(self, corpus: Corpus) -> None:
        self._root = corpus.root
        self._names = np.array([os.fsencode(crop.file_name) for crop in corpus.crops])

    def decoded(self, row: int, side: float) -> Image.Image | str:
        """The crop, its shorter side at least `side` pixels if it has them, or why it cannot be read."""
        try:
            photo = Photo(read_file(self._root / os.fsdecode(self._names[row])))
            return photo.pixels(min(1.0, side / min(photo.width, photo.height)))
        except PhotoError as exc:
            return str(exc)
