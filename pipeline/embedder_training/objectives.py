"""The losses that training minimises."""

from __future__ import annotations

import torch
from pytorch_metric_learning import losses, miners
from torch import nn

from pipeline.embedder_training.recipe import Recipe

TEMPERATURE = 0.1  # of the two losses that have one
TRIPLET_MARGIN = 0.2
ARC_MARGIN, ARC_SCALE = 20.0, 32.0  # degrees; less than for faces, which have thousands of classes


class Objective(nn.Module):
    """The recipe's loss of unit vectors (N, dimension) and their species (N,); a scalar.

    Softmax over cosines to a vector per species (Zhai and Wu, arXiv 1811.12649), the same with an angular
    margin (ArcFace: Deng et al., arXiv 1801.07698), batch-hard triplets (Hermans et al., arXiv 1703.07737)
    or supervised contrastive learning (Khosla et al., arXiv 2004.11362). Vectors per species are parameters
    of the loss.
    """

    def __init__(self, recipe: Recipe, species: int) -> None:
        super().__init__()
        sizes = {"num_classes": species, "embedding_size": recipe.dimension}
        self._miner = miners.BatchHardMiner() if recipe.loss == "triplet" else None
        self._loss: nn.Module
        if recipe.loss == "triplet":
            self._loss = losses.TripletMarginLoss(margin=TRIPLET_MARGIN, smooth_loss=True)
        elif recipe.loss == "supcon":
            self._loss = losses.SupConLoss(temperature=TEMPERATURE)
        elif recipe.loss == "arcface":
            self._loss = losses.ArcFaceLoss(margin=ARC_MARGIN, scale=ARC_SCALE, **sizes)
        else:
            self._loss = losses.NormalizedSoftmaxLoss(temperature=TEMPERATURE, **sizes)

    def forward(self, vectors: torch.Tensor, species: torch.Tensor, progress: float = 1.0) -> torch.Tensor:
        """The loss, with a gradient for vectors and parameters; `progress` is the share of training done.

        At first, the hardest triplets alone would collapse all vectors into one point. So training starts
        with the mean over all triplets and shifts to the hardest triplet of each crop.
        """
        loss: torch.Tensor = self._loss(vectors, species)
        if self._miner is not None:
            hardest = self._loss(vectors, species, self._miner(vectors, species))
            loss = (1 - progress) * loss + progress * hardest
        return loss
