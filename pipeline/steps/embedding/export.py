"""A trained embedder -> an ONNX file that gives the same vectors."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from pipeline.embedders import load
from pipeline.embedders.checkpoint import CheckpointEmbedder
from pipeline.embedders.graph import FromPixels, write
from pipeline.embedders.network import Network
from pipeline.embedders.onnx import OnnxEmbedder
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.errors import EmbedderError
from pipeline.files.atomic import atomic_file

BATCHES = (1, 5)  # sizes of the batches that the file is tested with
COSINE = 0.9999  # least cosine similarity of an image's two vectors
DIFFERENCE = 0.01  # largest difference of two components, as a share of the spread between images
ROUNDING = 1e-5  # difference that is always allowed, as a share of the largest component
# ONNX's own image metadata (onnx/docs/MetadataProps.md). The file itself subtracts the mean.
IMAGES = {
    "Image.BitmapPixelFormat": "Rgb8",
    "Image.ColorSpaceGamma": "SRGB",
    "Image.NominalPixelRange": "NominalRange_0_255",
}


@dataclass(frozen=True, kw_only=True)
class ExportedEmbedder:
    """The file that was written, and how close its vectors are to the network's."""

    embedder: str  # id
    path: Path
    dimension: int
    preprocessing: Preprocessing  # of the embedder; with the file, images are scaled to a square of `crop`
    images: int  # that were compared
    cosine: float  # least cosine similarity
    difference: float  # largest difference of two components

    @property
    def spec(self) -> str:
        """The specification of an embedder that uses the file."""
        return f"onnx:{self.path}"


class ChannelsFirst(nn.Module):
    """A copy of an embedder's network that takes N x 3 x S x S images, as the file does."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = FromPixels(copy.deepcopy(network.model).cpu(), network.preprocessing)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, dimension) from RGB values in 0 to 255, float32 (N, 3, crop, crop)."""
        vectors: torch.Tensor = self.network(pixels.permute(0, 2, 3, 1))
        return vectors


def export_embedder(spec: str, path: Path, *, data_dir: Path) -> ExportedEmbedder:
    """Write a trained embedder, or `checkpoint:FOLDER`, as an ONNX file.

    The file takes float32 (N, 3, S, S), RGB in 0 to 255, for any N, and returns float32 (N, dimension).
    Before it is kept, its vectors are compared with those of torch in float32. Raises EmbedderError, and
    leaves no file, if the vectors differ, if the network cannot be exported, or if `spec` names another
    kind of embedder. Raises FileError if the file cannot be written.
    """
    embedder = load(spec, data_dir=data_dir)
    if not isinstance(embedder, CheckpointEmbedder):
        raise EmbedderError(
            f"{spec} is not an embedder that was trained here",
            remedy="name one of `wildloop embedding list`, or checkpoint:FOLDER",
        )
    network = ChannelsFirst(embedder.network).eval()
    path = path.expanduser().resolve()
    with atomic_file(path) as draft:
        write_onnx(network, embedder, draft)
        cosine, difference = _compare(network, embedder, draft)
    return ExportedEmbedder(
        embedder=embedder.id,
        path=path,
        dimension=embedder.dimension,
        preprocessing=embedder.network.preprocessing,
        images=sum(BATCHES),
        cosine=cosine,
        difference=difference,
    )


def write_onnx(network: nn.Module, embedder: CheckpointEmbedder, path: Path) -> None:
    """Write the network with its metadata. Raises EmbedderError if torch cannot export it."""
    import onnx

    side = embedder.network.preprocessing.crop
    try:
        write(network, torch.zeros(2, 3, side, side), path)
        model = onnx.load(path)
    except Exception as exc:  # torch's exporter lets any exception of a layer through
        raise EmbedderError(
            f"{embedder.manifest['backbone']} cannot be written as ONNX: {exc}",
            remedy="train with another backbone if you need the file",
        ) from exc
    licence = embedder.manifest.get("training", {}).get("licence")
    metadata = IMAGES | {"wildloop.embedder": embedder.id} | ({"licence": str(licence)} if licence else {})
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)


def _compare(network: nn.Module, embedder: CheckpointEmbedder, path: Path) -> tuple[float, float]:
    """The least cosine and the largest difference. Raises EmbedderError if one is out of bounds."""
    written = OnnxEmbedder(path, {})
    rng = np.random.default_rng(0)
    side = embedder.network.preprocessing.crop
    images = [_image(rng, side) for _ in range(sum(BATCHES))]
    with torch.inference_mode():
        expected = network(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()).numpy()
    batches = np.split(np.arange(len(images)), np.cumsum(BATCHES)[:-1])
    actual = np.concatenate(
        [written.embed([Image.fromarray(images[row]) for row in rows]) for rows in batches]
    )
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(actual, axis=1)
    cosines = (expected * actual).sum(axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    cosine = min(1.0, float(cosines.min()))
    difference = float(np.abs(expected - actual).max())
    spread = float(np.abs(expected - expected.mean(axis=0)).max())
    allowed = max(DIFFERENCE * spread, ROUNDING * float(np.abs(expected).max()))
    if not (cosine >= COSINE and difference <= allowed):
        raise EmbedderError(
            f"the ONNX file gives other vectors than {embedder.id}: cosine {cosine:.6f}, difference "
            f"{difference:.2g}, but at most {allowed:.2g} is allowed",
            remedy="train with another backbone if you need the file",
        )
    return cosine, difference


def _image(rng: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """A test image of smooth colours with noise: uint8 (side, side, 3)."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    smooth: NDArray[Any] = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.float32)
    return np.clip(smooth + rng.normal(0, 16, smooth.shape), 0, 255).astype(np.uint8)
