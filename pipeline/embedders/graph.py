"""A torch network as a graph of onnxruntime, which computes float32 on a CPU faster than torch does."""

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

from pipeline.embedders.from_pixels import FromPixels

log = logging.getLogger(__name__)

OPSET = 17  # the first with layer normalisation; onnxruntime has it since 1.12
BATCH = 4  # crops in one run: what lies between two layers of so few stays in a core's cache
TRIED = 3  # crops that a graph is compared on; not as many as it was exported with
DIFFERENCE = 1e-3  # at most between a number of the graph's and of torch's, as a share of the largest one

Rows = NDArray[np.float32]


class Graph:
    """An exported network. Several batches run at once, each on a core of its own: threads that share a batch
    wait for each other whenever one of them has to share its core with the decoding of crops.
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


def write(network: torch.nn.Module, example: torch.Tensor, file: Path) -> None:
    """An ONNX file that gives `embedding` (N, D) of `pixels`, of which `example` is two; any N.

    What a layer makes the exporter raise is raised, and what it traced is for the caller to try.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter is an older one, which needs no onnxscript
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
    """The network as a graph that gives the same vectors; None where it cannot be exported.

    `side` is that of prepared crops in pixels.
    """
    try:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            write(network, torch.zeros(2, side, side, 3, dtype=torch.uint8), file)
            graph = Graph(file, torch.get_num_threads())
        tried = np.random.default_rng(0).integers(0, 256, (TRIED, side, side, 3), np.uint8)
        theirs = graph.run(list(tried))
    except Exception as exc:  # noqa: BLE001 - exporter and runtime raise whatever a layer made them raise
        log.info("torch computes this network, which has no ONNX graph: %s", exc)
        return None
    with torch.inference_mode():
        ours = network(torch.from_numpy(tried)).numpy()
    if theirs.shape != ours.shape or not np.abs(theirs - ours).max() <= DIFFERENCE * np.abs(ours).max():
        log.info("torch computes this network: its ONNX graph gives other vectors")
        return None
    return graph
