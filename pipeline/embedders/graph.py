"""A torch network as an onnxruntime graph, which runs float32 on a CPU faster than torch does."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.embedders.preprocessing import Preprocessing

log = logging.getLogger(__name__)

OPSET = 17  # the first with layer normalisation; onnxruntime supports it since 1.12
BATCH = 4  # crops in one run: the activations of so few stay in a core's cache
TRIED = 3  # crops on which graph and network are compared; another number than in the export
DIFFERENCE = 1e-3  # allowed between a number of the graph and of torch, relative to the largest number

Rows = NDArray[np.float32]


class FromPixels(nn.Module):
    """A network with its normalisation in front: uint8 pixels in, one row of features per crop out."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1) * 255)
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 (N, dimension) of uint8 (N, side, side, 3)."""
        # NHWC in memory seen as NCHW is channels_last already: nothing is copied.
        normalised = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std
        features: torch.Tensor = self.model(normalised).flatten(1)
        return features.float()


class Graph:
    """An exported network.

    Several batches run at once, each on one core. Threads that shared a batch would wait for each other
    whenever one of them shares its core with the decoding of crops.
    """

    def __init__(self, file: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="graph")

    def run(self, rows: Sequence[NDArray[np.uint8]]) -> Rows:
        """float32 (N, dimension) of at least one prepared crop."""
        batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        return np.concatenate(list(self._threads.map(self._run, batches)))

    def _run(self, rows: Sequence[NDArray[np.uint8]]) -> Rows:
        features: Rows = self._session.run(None, {"pixels": np.stack(rows)})[0]
        return features


def write(network: nn.Module, example: torch.Tensor, file: Path) -> None:
    """Write an ONNX file that maps `pixels`, N inputs like the two in `example`, to `embedding` (N, D).

    Raises whatever the exporter raises for a layer. The caller must compare the result with the network.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter is deprecated, but needs no onnxscript
        torch.onnx.export(
            network,
            (example,),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=["embedding"],
            dynamic_axes={"pixels": {0: "n"}, "embedding": {0: "n"}},
        )


def exported(network: FromPixels, side: int) -> Graph | None:
    """The network as a graph that gives the same vectors; None if it cannot be exported.

    `side` is the side of prepared crops in pixels.
    """
    try:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            write(network, torch.zeros(2, side, side, 3, dtype=torch.uint8), file)
            graph = Graph(file, torch.get_num_threads())
        crops = np.random.default_rng(0).integers(0, 256, (TRIED, side, side, 3), np.uint8)
        actual = graph.run(list(crops))
    except Exception as exc:  # noqa: BLE001 - exporter and runtime raise anything for layers they lack
        log.info("torch runs this network, which cannot be exported to ONNX: %s", exc)
        return None
    with torch.inference_mode():
        expected = network(torch.from_numpy(crops)).numpy()
    tolerance = DIFFERENCE * np.abs(expected).max()
    if actual.shape != expected.shape or not np.abs(actual - expected).max() <= tolerance:
        log.info("torch runs this network: its ONNX graph gives other vectors")
        return None
    return graph
