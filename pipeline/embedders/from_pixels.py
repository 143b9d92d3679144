"""A network with its normalisation before it."""

from __future__ import annotations

import torch
from torch import nn

from pipeline.embedders.preprocessing import Preprocessing


class FromPixels(nn.Module):
    """Features of prepared crops, one row of numbers each, whatever shape the network gives them."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1) * 255)
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, dimension) of uint8 (N, side, side, 3)."""
        # NHWC in memory, seen as NCHW: already channels_last, nothing is copied.
        normal = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std
        features: torch.Tensor = self.model(normal).flatten(1)
        return features.float()
