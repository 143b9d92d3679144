"""A backbone with a projection behind it: what is trained here."""

from __future__ import annotations

import torch
from torch import nn

from pipeline.embedders.network import backbone, behead


class Projected(nn.Module):
    """Pooled features of a torchvision backbone, projected to `dimension` numbers of unit length."""

    def __init__(self, name: str, image_size: int, dimension: int) -> None:
        """Untrained; for square inputs of `image_size` pixels. EmbedderError for an unknown backbone."""
        super().__init__()
        self.dimension = dimension
        self.backbone = backbone(name, image_size)
        features, _ = behead(self.backbone)
        self.projection = nn.Linear(features, dimension)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, dimension) of (N, 3, image_size, image_size), normalised."""
        features = self.projection(self.backbone(images).flatten(1))
        return nn.functional.normalize(features.float(), dim=1)
