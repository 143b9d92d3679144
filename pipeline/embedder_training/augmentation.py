"""Augmentation by the variation of camera-trap photographs, as torchvision v2 transforms.

They take Pillow images and return uint8 (3, side, side). All randomness comes from torch's generator.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional
from torchvision.transforms import v2

LEAST_AREA = 0.35  # share of the crop's area that is kept at least: the animal may be cut off
NIGHT, BLURRED, HIDDEN = 0.25, 0.2, 0.3  # probability of each


def augmentation(side: int) -> v2.Transform:
    """All transforms in order, for squares of `side` pixels."""
    return v2.Compose(
        [
            v2.RandomResizedCrop(side, scale=(LEAST_AREA, 1.0), ratio=(3 / 4, 4 / 3), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(brightness=0.5, contrast=0.4, saturation=0.4)], p=0.8),
            v2.PILToTensor(),
            v2.RandomApply([Infrared()], p=NIGHT),
            v2.RandomApply([MotionBlur(most=side // 14)], p=BLURRED),
            v2.RandomErasing(p=HIDDEN, scale=(0.02, 0.2), value=104),
        ]
    )


class Infrared(v2.Transform):  # type: ignore[misc]
    """A photograph by infrared flash: grey, darker away from a bright spot, with sensor noise."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The spot (fractions of the frame), how dark it is away from it, and the noise (of 255)."""
        x, y, dark, noise = torch.rand(4).tolist()
        return {"spot": (0.25 + 0.5 * x, 0.25 + 0.5 * y), "dark": 0.7 * dark, "noise": 12 * noise}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """uint8 (3, H, W) of uint8 (3, H, W)."""
        _, height, width = inpt.shape
        grey = v2.functional.rgb_to_grayscale(inpt, num_output_channels=1).float()
        down = torch.linspace(0, 1, height)[:, None] - params["spot"][1]
        across = torch.linspace(0, 1, width)[None, :] - params["spot"][0]
        light = 1.15 - params["dark"] * (down.square() + across.square()).sqrt() / math.sqrt(0.5)
        noisy = grey * light + params["noise"] * torch.randn(height, width)
        return noisy.clamp(0, 255).to(torch.uint8).expand(3, -1, -1).contiguous()


class MotionBlur(v2.Transform):  # type: ignore[misc]
    """The mean along a line, as when an animal moves during the exposure."""

    def __init__(self, most: int) -> None:
        """`most` is the maximum length of the line, in pixels."""
        super().__init__()
        self._most = max(3, most)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The line's length in pixels and its angle in radians: mostly horizontal, as animals walk."""
        length, angle = torch.rand(1).item(), torch.randn(1).item()
        return {"length": 2 + (self._most - 2) * length, "angle": 0.35 * angle}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """uint8 (3, H, W) of uint8 (3, H, W)."""
        reach = math.ceil(params["length"] / 2)
        along = torch.linspace(-params["length"] / 2, params["length"] / 2, 4 * reach + 1)
        columns = (along * math.cos(params["angle"])).round().long() + reach
        rows = (along * math.sin(params["angle"])).round().long() + reach
        kernel = torch.zeros(2 * reach + 1, 2 * reach + 1)
        kernel.index_put_((rows, columns), torch.ones(len(along)), accumulate=True)
        kernel = (kernel / kernel.sum()).expand(3, 1, -1, -1)
        padded = functional.pad(inpt[None].float(), (reach,) * 4, mode="replicate")
        return functional.conv2d(padded, kernel, groups=3)[0].round().clamp(0, 255).to(torch.uint8)
