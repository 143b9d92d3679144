"""The hyperparameters of a training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.embedders.preprocessing import Preprocessing
from pipeline.errors import EmbedderError

LOSSES = ("cross-entropy", "triplet", "supcon", "arcface")
FRESH_RATE, TUNING_RATE = 1e-3, 3e-4  # from scratch; from trained weights
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which published weights expect


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that determines the result, besides the crops and the starting weights."""

    backbone: str = "mobilenet_v3_large"  # a torchvision classification network
    dimension: int = 256  # of the embedding
    side: int = 224  # pixels of the square input
    loss: str = "supcon"  # one of LOSSES
    species_per_batch: int = 16
    crops_per_species: int = 4
    epochs: int = 30  # at most; each draws as many crops as there are
    patience: int = 6  # epochs without improvement that end training, but not before half of the epochs
    rate: float = FRESH_RATE  # of AdamW, at its highest
    weight_decay: float = 0.02
    warm_up: float = 0.05  # share of the steps in which the learning rate rises
    clip: float = 1.0  # largest norm of the gradient
    seed: int = 0

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise EmbedderError(f"there is no loss {self.loss!r}", remedy=f"use one of: {', '.join(LOSSES)}")
        if self.species_per_batch < 2 or self.crops_per_species < 2:
            raise EmbedderError(
                f"a batch of {self.species_per_batch} species with {self.crops_per_species} crops each "
                "has nothing to compare",
                remedy="use at least 2 of both",
            )

    @property
    def batch(self) -> int:
        """Crops per step."""
        return self.species_per_batch * self.crops_per_species

    def steps(self, crops: int) -> int:
        """Steps per epoch, given the number of crops."""
        return max(1, round(crops / self.batch))

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of the trained embedder."""
        return Preprocessing(resize=self.side, crop=self.side, mean=MEAN, std=STD)

    def manifest(self) -> dict[str, Any]:
        """The recipe as JSON."""
        return asdict(self)
