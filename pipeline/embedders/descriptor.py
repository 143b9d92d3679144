"""A descriptor of colour and shape without weights: everything works without a pretrained network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.embedders.embedder import TwoStepEmbedder, embedder_id

Array = NDArray[np.float32]

BATCH = 64  # crops described at once; bounds memory
PARAMETERS: Mapping[str, Any] = {  # the id follows from them: raise `version` when the code below changes
    "version": 1,
    "side": 64,  # pixels of the square to which every crop is resized
    "margin": 12,  # pixels: width of the ring around the centre
    "cell": 16,  # pixels of the side of a cell of the gradient histograms
    "orientations": 9,
    "colour_bins": 7,  # along each of a* and b*
    "colour_reach": 60.0,  # larger a* and b* fall into the outermost bins
    "light_bins": 8,
    # Weight of each kind of histogram, tuned on 491 real crops of 22 species.
    "weights": {"gradients": 1.4, "colour": 1.0, "light": 0.7, "texture": 0.5},
}
_SIDE: int = PARAMETERS["side"]
_TEXTURES = 10  # 9 uniform patterns of 8 neighbours, and one bin for all others


class DescriptorEmbedder(TwoStepEmbedder):
    """Histograms of oriented gradients over the whole crop (Dalal and Triggs, 2005), and of CIELAB colour,
    lightness and local binary patterns (Ojala et al., 2002) in two regions: the centre, where the animal is,
    and the ring around it.

    Colour, lightness and texture are unit vectors of square roots, so that a dot product of two of them is
    their Bhattacharyya coefficient (the Hellinger kernel). The whole vector has unit length.
    """

    side = _SIDE

    def __init__(self) -> None:
        self.dimension = _describe(np.zeros((1, _SIDE, _SIDE, 3), np.uint8)).shape[1]
        self.id = embedder_id("descriptor", PARAMETERS)
        self.manifest: Mapping[str, Any] = {
            "kind": "descriptor",
            "spec": "descriptor",
            "dimension": self.dimension,
            **PARAMETERS,
        }

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        """The image as a small square: uint8 (side, side, 3)."""
        # A box filter weighs all pixels equally, so the size of the crop hardly changes the result.
        return np.asarray(image.convert("RGB").resize((self.side, self.side), Image.Resampling.BOX))

    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> Array:
        """One row per prepared image: float32 (N, dimension)."""
        vectors = np.empty((len(rows), self.dimension), np.float32)
        for start in range(0, len(rows), BATCH):
            vectors[start : start + BATCH] = _describe(np.stack(rows[start : start + BATCH]))
        return vectors


def _describe(pixels: NDArray[np.uint8]) -> Array:
    """Vectors, float32 (N, D), of RGB values (N, side, side, 3)."""
    from skimage.color import rgb2lab

    lab = rgb2lab(pixels.astype(np.float32) / 255)  # L* in 0..100, a* and b* about -100..100
    light = lab[..., 0] / 100
    signed = np.clip(lab[..., 1:] / PARAMETERS["colour_reach"], -1, 1)
    # The square root spreads the dull colours of fur and feathers over more bins than vivid colours.
    colour = (np.sign(signed) * np.sqrt(np.abs(signed)) + 1) / 2
    texture = _textures(light)
    margin = PARAMETERS["margin"]
    centre = np.zeros((_SIDE, _SIDE), bool)
    centre[margin:-margin, margin:-margin] = True
    weights = PARAMETERS["weights"]
    blocks = [weights["gradients"] * _gradients(light)]
    for region in (centre, ~centre):
        blocks += [
            weights["colour"] * _histogram(colour[:, region], PARAMETERS["colour_bins"]),
            weights["light"] * _histogram(light[:, region, np.newaxis], PARAMETERS["light_bins"]),
            weights["texture"] * _histogram(texture[:, region, np.newaxis], _TEXTURES),
        ]
    whole: Array = np.concatenate(blocks, axis=1).astype(np.float32)
    return _unit(whole)


def _gradients(light: Array) -> Array:
    """Histograms of oriented gradients (N, D) of unit length; zeros for an image without edges."""
    from skimage.feature import hog

    cell = PARAMETERS["cell"]
    rows = np.stack(
        [
            hog(
                image,
                orientations=PARAMETERS["orientations"],
                pixels_per_cell=(cell, cell),
                cells_per_block=(2, 2),
                block_norm="L2-Hys",
            )
            for image in light
        ]
    )
    return _unit(rows.astype(np.float32))


def _textures(light: Array) -> Array:
    """Uniform local binary patterns (N, side, side): pattern k of 10 is k / 9."""
    from skimage.feature import local_binary_pattern

    grey = (light * 255).astype(np.uint8)
    patterns = np.stack(
        [local_binary_pattern(image, 8, 1, "uniform") for image in grey]  # type: ignore[no-untyped-call]
    )
    return (patterns / (_TEXTURES - 1)).astype(np.float32)


def _histogram(values: Array, bins: int) -> Array:
    """Square roots of the share of pixels in each bin: unit vectors (N, bins ** K) of values (N, P, K).

    Values are in 0..1. Each is divided between the two nearest bins of each axis, so that a small change of
    colour makes a small change of the histogram.
    """
    images, pixels, axes = values.shape
    place = np.clip(values, 0, 1) * (bins - 1)
    low = np.minimum(place.astype(np.intp), bins - 2)
    share = place - low
    counts = np.zeros(images * bins**axes)
    row = np.arange(images)[:, np.newaxis] * bins**axes
    for corner in np.ndindex(*(2,) * axes):
        index, weight = np.zeros((images, pixels), np.intp), np.ones((images, pixels))
        for axis, up in enumerate(corner):
            index = index * bins + low[..., axis] + up
            weight = weight * (share[..., axis] if up else 1 - share[..., axis])
        counts += np.bincount((row + index).ravel(), weight.ravel(), len(counts))
    return np.sqrt(counts.reshape(images, -1) / pixels).astype(np.float32)


def _unit(rows: Array) -> Array:
    """Rows (N, D) scaled to length 1; rows of zeros stay zero."""
    lengths = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    scaled: Array = rows / np.maximum(lengths, np.float32(1e-6))
    return scaled
