"""The interface of every embedder, and how an embedder gets its id."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.identity import json_digest

_NAME_LENGTH = 40  # characters of the readable part of an id; the digest after it makes the id unique


class Embedder(Protocol):
    """Turns crops into vectors. Two embedders with the same id give the same vectors.

    The same, that is, within the machine's arithmetic: bfloat16 and float32 share an id, as their vectors
    differ by less than those of two crops of one animal.
    """

    @property
    def id(self) -> str:
        """Short, made of `[a-z0-9_-]`, safe as a file name; changes with weights and preprocessing."""

    @property
    def dimension(self) -> int:
        """Length of the vectors."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """JSON that describes the embedder; "spec" is the text from which `load` makes it again."""

    @property
    def side(self) -> int:
        """Pixels of the shorter side to which a crop is scaled: larger crops can be decoded smaller."""

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        """The network's input for an image of any size and mode: uint8 (H, W, 3). Thread-safe."""

    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """One row per prepared image: float32 (N, dimension). Not thread-safe."""

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """One row per image of any size and mode: float32 (N, dimension)."""


class TwoStepEmbedder(ABC):
    """Implements `embed` from its two steps, prepare and embed."""

    @abstractmethod
    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        """See `Embedder`."""

    @abstractmethod
    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """See `Embedder`."""

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """One row per image of any size and mode: float32 (N, dimension)."""
        return self.embed_prepared([self.prepared(image) for image in images])


def embedder_id(name: str, identity: Mapping[str, Any]) -> str:
    """A readable name and the digest of everything that the vectors depend on, such as `resnet18-0f3a9c`."""
    readable = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:_NAME_LENGTH].strip("_")
    return f"{readable or 'embedder'}-{json_digest(dict(identity), size=6)}"
