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

BATCHES = (1, 5)  # images at once that the file is tried with
COSINE = 0.9999  # least of any image's two vectors
DIFFERENCE = 0.01  # at most between two numbers, as a share of what tells the images apart
ROUNDING = 1e-5  # that is always allowed, as a share of the largest number
# As ONNX's own image metadata has it (onnx/docs/MetadataProps.md): the mean is in the network itself.
IMAGES = {
    "Image.BitmapPixelFormat": "Rgb8",
    "Image.ColorSpaceGamma": "SRGB",
    "Image.NominalPixelRange": "NominalRange_0_255",
}


@dataclass(frozen=True, kw_only=True)
class ExportedEmbedder:
    """What was written, and how near its vectors are to the network's."""

    embedder: str  # id
    path: Path
    dimension: int
    preprocessing: Preprocessing  # of the embedder; the file's own is to scale to a square of `crop`
    images: int  # that were compared
    cosine: float  # least
    difference: float  # largest between two numbers

    @property
    def spec(self) -> str:
        """What makes an embedder of the file."""
        return f"onnx:{self.path}"


class _ChannelsFirst(nn.Module):
    """An embedder's network as the file has it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = FromPixels(copy.deepcopy(network.model).cpu(), network.preprocessing)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, dimension) of RGB values in 0..255, float32 (N, 3, crop, crop)."""
        vectors: torch.Tensor = self.network(pixels.permute(0, 2, 3, 1))
        return vectors


def export_embedder(spec: str, path: Path, *, data_dir: Path) -> ExportedEmbedder:
    """Write the embedder that `spec` names, a trained one or `checkpoint:FOLDER`, as an ONNX file.

    The file takes float32 (N, 3, S, S), RGB in 0..255, for any N, and gives float32 (N, dimension). It is
    run by onnxruntime beside torch in float32 first: where the vectors differ, or the network cannot be
    exported, EmbedderError, and there is no file. FileError where the disk refuses.
    """
    embedder = load(spec, data_dir=data_dir)
    if not isinstance(embedder, CheckpointEmbedder):
        raise EmbedderError(
            f"{spec} is no embedder that was trained here",
            remedy="name one of `wildloop embedding list`, or checkpoint:FOLDER",
        )
    network = _ChannelsFirst(embedder.network).eval()
    path = path.expanduser().resolve()
    with atomic_file(path) as draft:
        _write(network, embedder, draft)
        cosine, difference = _parity(network, embedder, draft)
    return ExportedEmbedder(
        embedder=embedder.id,
        path=path,
        dimension=embedder.dimension,
        preprocessing=embedder.network.preprocessing,
        images=sum(BATCHES),
        cosine=cosine,
        difference=difference,
    )


def _write(network: nn.Module, embedder: CheckpointEmbedder, path: Path) -> None:
    import onnx

    side = embedder.network.preprocessing.crop
    try:
        write(network, torch.zeros(2, 3, side, side), path)  # compared below
        model = onnx.load(path)
    except Exception as exc:  # torch's exporter raises whatever a layer made it raise
        raise EmbedderError(
            f"{embedder.manifest['backbone']} cannot be written as ONNX: {exc}",
            remedy="train with another backbone where you need the file",
        ) from exc
    licence = embedder.manifest.get("training", {}).get("licence")
    described = IMAGES | {"wildloop.embedder": embedder.id} | ({"licence": str(licence)} if licence else {})
    onnx.helper.set_model_props(model, described)
    onnx.save(model, path)


def _parity(network: nn.Module, embedder: CheckpointEmbedder, path: Path) -> tuple[float, float]:
    """The least cosine and the largest difference; EmbedderError where one is out of bounds."""
    written = OnnxEmbedder(path, {})
    rng = np.random.default_rng(0)
    side = embedder.network.preprocessing.crop
    pixels = [_picture(rng, side) for _ in range(sum(BATCHES))]
    with torch.inference_mode():
        ours = network(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float()).numpy()
    parts = np.split(np.arange(len(pixels)), np.cumsum(BATCHES)[:-1])
    theirs = np.concatenate([written.embed([Image.fromarray(pixels[row]) for row in part]) for part in parts])
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    cosines = (ours * theirs).sum(axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    cosine = min(1.0, float(cosines.min()))
    difference = float(np.abs(ours - theirs).max())
    spread = float(np.abs(ours - ours.mean(axis=0)).max())
    allowed = max(DIFFERENCE * spread, ROUNDING * float(np.abs(ours).max()))
    if not (cosine >= COSINE and difference <= allowed):
        raise EmbedderError(
            f"the ONNX file gives other vectors than {embedder.id}: cosine {cosine:.6f}, difference "
            f"{difference:.2g} where {allowed:.2g} is allowed",
            remedy="train with another backbone where you need the file",
        )
    return cosine, difference


def _picture(rng: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """Smooth colours with grain: uint8 (side, side, 3)."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    smooth: NDArray[Any] = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.float32)
    return np.clip(smooth + rng.normal(0, 16, smooth.shape), 0, 255).astype(np.uint8)
