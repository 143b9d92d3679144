"""What training makes small."""

from __future__ import annotations

import torch
from pytorch_metric_learning import losses, miners
from torch import nn

from pipeline.training.recipe import Recipe

TEMPERATURE = 0.1  # of both losses that have one
TRIPLET_MARGIN = 0.2
ARC_MARGIN, ARC_SCALE = 20.0, 32.0  # degrees; gentler than for faces, of which there are thousands


class Objective(nn.Module):
    """The recipe's loss of unit vectors (N, dimension) and their species (N,); a scalar.

    Softmax over cosines to a vector of each species (Zhai and Wu, 2019), the same with an angular margin
    (Deng et al., 2019), batch-hard triplets (Hermans et al., 2017) or supervised contrast (Khosla et al.,
    2020).

    Losses with a vector for each of `species` species learn these as parameters of their own.
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

    def forward(self, vectors: torch.Tensor, species: torch.Tensor, over: float = 1.0) -> torch.Tensor:
        """The loss; its gradient reaches vectors and parameters. `over` is the share of training that is.

        The hardest triplets alone pull everything into one point at first, so it begins with the mean over
        all triplets and ends with the hardest of each crop.
        """
        loss: torch.Tensor = self._loss(vectors, species)
        if self._miner is not None:
            loss = (1 - over) * loss + over * self._loss(vectors, species, self._miner(vectors, species))
        return loss
