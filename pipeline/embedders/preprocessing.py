"""How a crop becomes a network's input: resize, crop, normalise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import EmbedderError

# Crops are decoded at least at so many times the side that they are scaled to: at less, decoding a JPEG
# smaller shows. At 1, MobileNetV2 gives vectors with a mean cosine of 0.957 to those of the whole crop.
SPARE = 2

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_VECTORISED = ("bilinear", "bicubic")  # by torch


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What published weights expect of an image, as torchvision's classification presets have it."""

    resize: int  # pixels: the shorter side, the aspect kept
    crop: int  # pixels: the square cut from the centre of that
    mean: tuple[float, float, float]  # RGB, of values in 0..1
    std: tuple[float, float, float]
    interpolation: str = "bilinear"  # nearest, bilinear, bicubic or lanczos; antialiased

    @classmethod
    def from_preset(cls, preset: Any) -> Preprocessing:
        """Of a torchvision preset, what `weights.transforms()` returns."""
        return cls(
            resize=int(preset.resize_size[0]),
            crop=int(preset.crop_size[0]),
            mean=_triple(preset.mean),
            std=_triple(preset.std),
            interpolation=str(preset.interpolation.value),
        )

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Preprocessing:
        """Of JSON with exactly the fields of this class; EmbedderError where it cannot be used."""
        try:
            made = cls(
                resize=int(manifest["resize"]),
                crop=int(manifest["crop"]),
                mean=_triple(manifest["mean"]),
                std=_triple(manifest["std"]),
                interpolation=str(manifest["interpolation"]),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise EmbedderError(
                f"preprocessing {dict(manifest)!r} lacks or misspells {exc}",
                remedy="it needs resize, crop, mean, std and interpolation",
            ) from exc
        if made.resize < 1 or made.crop < 1 or min(made.std) <= 0 or made.interpolation not in _RESAMPLING:
            raise EmbedderError(
                f"preprocessing {dict(manifest)!r} cannot be carried out",
                remedy=f"sizes and std above 0, interpolation one of {', '.join(_RESAMPLING)}",
            )
        return made

    def manifest(self) -> dict[str, Any]:
        """JSON, as `from_manifest` reads it."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    def pixels(self, images: Sequence[Image.Image]) -> NDArray[np.uint8]:
        """Resized and cut, not yet normalised: uint8 (N, crop, crop, 3), RGB."""
        batch = np.empty((len(images), self.crop, self.crop, 3), np.uint8)
        for row, image in zip(batch, images, strict=True):
            row[:] = self.prepared(image)
        return batch

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        """Resized and cut, not yet normalised: uint8 (crop, crop, 3), RGB."""
        rgb = image.convert("RGB")
        width, height = (int(self.resize * side / min(rgb.size)) for side in rgb.size)
        resized = _resized(rgb, width, height, self.interpolation)
        left, top = round((width - self.crop) / 2), round((height - self.crop) / 2)
        if min(left, top) >= 0:
            return resized[top : top + self.crop, left : left + self.crop]
        # Where `crop` exceeds `resize`, what lies outside is black, as in torchvision's centre crop.
        whole = Image.fromarray(resized).crop((left, top, left + self.crop, top + self.crop))
        return np.asarray(whole)


def _resized(image: Image.Image, width: int, height: int, interpolation: str) -> NDArray[np.uint8]:
    """uint8 (height, width, 3) of an RGB image, antialiased."""
    if interpolation not in _VECTORISED:
        return np.asarray(image.resize((width, height), _RESAMPLING[interpolation]))
    import torch

    # Pillow's own filters in a quarter of its time, on processors with AVX2; a number differs by 1 at most.
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0)
    resized = torch.nn.functional.interpolate(
        pixels, (height, width), mode=interpolation, antialias=True, align_corners=False
    )
    return resized[0].permute(1, 2, 0).numpy()


def _triple(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
