"""What every embedder offers, and how it gets its name."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.identity import json_digest

_NAME_LENGTH = 40  # of the readable part of an id; the digest behind it tells embedders apart


class Embedder(Protocol):
    """Crops in, vectors out. Two embedders with the same id give the same vectors.

    "The same" is up to the arithmetic of the machine: bfloat16 on one and float32 on another differ by
    less than crops of one animal do, and share the id.
    """

    @property
    def id(self) -> str:
        """Short, of `[a-z0-9_-]` only, safe as a file name; changes with weights and preprocessing."""

    @property
    def dimension(self) -> int:
        """Length of its vectors."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """JSON: what it is, and under "spec" what `load` needs to make it again."""

    @property
    def side(self) -> int:
        """Pixels of the shorter side that a crop is scaled to: of larger ones not all is needed."""

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        """What is computed from, of an image of any size and mode. Any thread may call it."""

    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """One row for each prepared image: float32 (N, dimension). One call at a time."""

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """One row for each image, of any size and mode: float32 (N, dimension)."""


class InTwoSteps(ABC):
    """What prepares images and embeds what was prepared, embeds images."""

    @abstractmethod
    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        """See `Embedder`."""

    @abstractmethod
    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """See `Embedder`."""

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """One row for each image, of any size and mode: float32 (N, dimension)."""
        return self.embed_prepared([self.prepared(image) for image in images])


def embedder_id(name: str, identity: Mapping[str, Any]) -> str:
    """A readable name with the digest of everything that its vectors depend on."""
    readable = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:_NAME_LENGTH].strip("_")
    return f"{readable or 'embedder'}-{json_digest(dict(identity), size=6)}"
