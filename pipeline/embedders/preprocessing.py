"""How a crop becomes the input of a network: resize, crop, normalise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import EmbedderError

# Crops are decoded at no less than this multiple of the side to which they are scaled. At 1, the artefacts
# of decoding a JPEG at reduced size change MobileNetV2's vectors to a mean cosine of 0.957.
SPARE = 2

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_VECTORISED = ("bilinear", "bicubic")  # in torch


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How published weights expect an image, with the fields of torchvision's classification presets."""

    resize: int  # pixels of the shorter side; the aspect ratio is kept
    crop: int  # pixels of the side of the square that is cut from the centre
    mean: tuple[float, float, float]  # RGB, for values in 0..1
    std: tuple[float, float, float]
    interpolation: str = "bilinear"  # nearest, bilinear, bicubic or lanczos; antialiased

    @classmethod
    def from_preset(cls, preset: Any) -> Preprocessing:
        """From a torchvision preset, as `weights.transforms()` returns it."""
        return cls(
            resize=int(preset.resize_size[0]),
            crop=int(preset.crop_size[0]),
            mean=_triple(preset.mean),
            std=_triple(preset.std),
            interpolation=str(preset.interpolation.value),
        )

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Preprocessing:
        """From JSON with the fields of this class; EmbedderError if a field is missing or unusable."""
        try:
            preprocessing = cls(
                resize=int(manifest["resize"]),
                crop=int(manifest["crop"]),
                mean=_triple(manifest["mean"]),
                std=_triple(manifest["std"]),
                interpolation=str(manifest["interpolation"]),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise EmbedderError(
                f"preprocessing {dict(manifest)!r} lacks or misspells {exc}",
                remedy="it must have resize, crop, mean, std and interpolation",
            ) from exc
        if (
            min(preprocessing.resize, preprocessing.crop) < 1
            or min(preprocessing.std) <= 0
            or preprocessing.interpolation not in _RESAMPLING
        ):
            raise EmbedderError(
                f"preprocessing {dict(manifest)!r} cannot be carried out",
                remedy="sizes and std must be above 0, interpolation one of " + ", ".join(_RESAMPLING),
            )
        return preprocessing

    def manifest(self) -> dict[str, Any]:
        """JSON, as `from_manifest` reads it."""
        fields = asdict(self).items()
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields}

    def pixels(self, images: Sequence[Image.Image]) -> NDArray[np.uint8]:
        """The images resized and cut, not yet normalised: uint8 (N, crop, crop, 3), RGB."""
        batch = np.empty((len(images), self.crop, self.crop, 3), np.uint8)
        for row, image in zip(batch, images, strict=True):
            row[:] = self.prepared(image)
        return batch

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        """The image resized and cut, not yet normalised: uint8 (crop, crop, 3), RGB."""
        rgb = image.convert("RGB")
        width, height = (int(self.resize * side / min(rgb.size)) for side in rgb.size)
        resized = _resized(rgb, width, height, self.interpolation)
        left, top = round((width - self.crop) / 2), round((height - self.crop) / 2)
        if min(left, top) >= 0:
            return resized[top : top + self.crop, left : left + self.crop]
        # If `crop` exceeds `resize`, the margin is black, as in torchvision's centre crop.
        padded = Image.fromarray(resized).crop((left, top, left + self.crop, top + self.crop))
        return np.asarray(padded)


def _resized(image: Image.Image, width: int, height: int, interpolation: str) -> NDArray[np.uint8]:
    """uint8 (height, width, 3) of an RGB image, antialiased."""
    if interpolation not in _VECTORISED:
        return np.asarray(image.resize((width, height), _RESAMPLING[interpolation]))
    import torch

    # Pillow's filters in a quarter of its time on processors with AVX2; values differ by at most 1.
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0)
    resized = torch.nn.functional.interpolate(
        pixels, (height, width), mode=interpolation, antialias=True, align_corners=False
    )
    return resized[0].permute(1, 2, 0).numpy()


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
