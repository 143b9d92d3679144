"""A torchvision classification network without its head, run over batches of crops."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.embedders.embedder import InTwoSteps
from pipeline.embedders.hardware import has_fast_bfloat16, limit_torch_threads, torch_device
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.errors import EmbedderError

if TYPE_CHECKING:
    import torch

    from pipeline.embedders.graph import Graph

BATCH = 64  # crops in one forward pass; more gains nothing on a CPU and little on a GPU
WORTH_EXPORTING = 32  # crops at once that are worth the seconds of an export; one for the backend is not


class Network:
    """Pooled features of the layer before the classification head.

    channels_last throughout; bfloat16 where the machine computes it natively; a GPU where there is one.
    On a CPU without bfloat16, whatever can be exported is run by onnxruntime.
    """

    def __init__(self, model: torch.nn.Module, preprocessing: Preprocessing) -> None:
        """`model` is `backbone` after `behead`, weights loaded; it is changed in place and kept."""
        import torch

        from pipeline.embedders.from_pixels import FromPixels

        limit_torch_threads()
        self.preprocessing = preprocessing
        self._device = torch_device()
        self._bfloat16 = has_fast_bfloat16(self._device)
        self.model = model.eval().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network = FromPixels(self.model, preprocessing).eval().to(self._device)
        self._exportable = self._device.type == "cpu" and not self._bfloat16
        self._graph: Graph | None = None

    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """float32 (N, dimension) of at least one crop that `preprocessing` prepared."""
        # A network in training gathers statistics of what it sees, which a graph would not.
        if self._exportable and len(rows) >= WORTH_EXPORTING and not _trains(self.model):
            from pipeline.embedders.graph import exported

            self._exportable = False
            self._graph = exported(self._network, self.preprocessing.crop)
        return self._by_torch(rows) if self._graph is None else self._graph.run(rows)

    def _by_torch(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        import torch

        features = []
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            if self._bfloat16:
                stack.enter_context(torch.autocast(self._device.type, torch.bfloat16))
            for start in range(0, len(rows), BATCH):
                pixels = torch.from_numpy(np.stack(rows[start : start + BATCH]))
                if self._device.type == "cuda":
                    pixels = pixels.pin_memory()  # so that the copy waits for nothing
                features.append(self._network(pixels.to(self._device, non_blocking=True)))
            return torch.cat(features).cpu().numpy()


class NetworkEmbedder(InTwoSteps):
    """An embedder that is a `Network`."""

    network: Network
    dimension: int

    @property
    def side(self) -> int:
        """Of a crop's shorter side, before its centre is cut out."""
        return self.network.preprocessing.resize

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        """Resized and cut: uint8 (crop, crop, 3)."""
        return self.network.preprocessing.prepared(image)

    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """One row for each prepared image: float32 (N, dimension)."""
        return self.network.embed_prepared(rows) if len(rows) else np.empty((0, self.dimension), np.float32)


def backbone(name: str, image_size: int) -> torch.nn.Module:
    """An untrained torchvision classification network for square inputs of `image_size` pixels.

    EmbedderError where torchvision has none of the name.
    """
    from torchvision import models

    check_name(name)
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        # Their published weights want inputs normalised once more, inside the network.
        options = {"init_weights": False, "transform_input": True}
    elif name.startswith("vit_"):
        options = {"image_size": image_size}  # its position embedding has a place for each patch
    network: torch.nn.Module = models.get_model(name, weights=None, **options)
    return network


def check_name(name: str) -> None:
    """EmbedderError where torchvision has no classification backbone of this name."""
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise EmbedderError(
            f"torchvision has no classification backbone {name!r}",
            remedy=f"one of {len(known)}, such as mobilenet_v3_large, resnet18, efficientnet_b0 or vit_b_16",
        )


def behead(model: torch.nn.Module) -> tuple[int, str]:
    """Replace the classification layer in place, so that the model returns what went into it.

    Returns the length of that and the name of the replaced module: weights below it may be left out.
    """
    from torch import nn

    name, head = [
        (name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)
    ][-1]
    if isinstance(head, nn.Linear):
        _replace(model, name, nn.Identity())
        return head.in_features, name
    # SqueezeNet classifies by a convolution and pools afterwards: pool what went into it instead.
    parent = name.rpartition(".")[0]
    _replace(model, parent, nn.AdaptiveAvgPool2d(1))
    return head.in_channels, parent


def _trains(model: torch.nn.Module) -> bool:
    return any(module.training for module in model.modules())


def _replace(model: torch.nn.Module, name: str, new: torch.nn.Module) -> None:
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, new)
