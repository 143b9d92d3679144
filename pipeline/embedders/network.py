"""Torch networks that give features of crops: backbones without their head, and how they are run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from pipeline.embedders.embedder import TwoStepEmbedder
from pipeline.embedders.graph import FromPixels, Graph, exported
from pipeline.embedders.hardware import has_fast_bfloat16, limit_torch_threads, torch_device
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.errors import EmbedderError

BATCH = 64  # crops in one forward pass; more gains nothing on a CPU and little on a GPU
WORTH_EXPORTING = 32  # crops in one call from which an export, which takes seconds, pays off


class Projected(nn.Module):
    """A torchvision backbone whose pooled features are projected to `dimension` numbers of unit length.

    This is what `wildloop embedding train` trains.
    """

    def __init__(self, name: str, image_size: int, dimension: int) -> None:
        """Random weights, for square inputs of `image_size` pixels. EmbedderError for an unknown backbone."""
        super().__init__()
        self.dimension = dimension
        self.backbone = backbone(name, image_size)
        features, _ = behead(self.backbone)
        self.projection = nn.Linear(features, dimension)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """float32 (N, dimension) of normalised images (N, 3, image_size, image_size)."""
        features = self.projection(self.backbone(images).flatten(1))
        return nn.functional.normalize(features.float(), dim=1)


class Network:
    """Runs a network over batches of crops.

    Memory format channels_last; bfloat16 if the machine computes it natively; a GPU if there is one. On a
    CPU without bfloat16, onnxruntime runs every network that can be exported.
    """

    def __init__(self, model: nn.Module, preprocessing: Preprocessing) -> None:
        """`model` maps normalised images (N, 3, crop, crop) to features; it is moved and kept, not copied."""
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
        # A network in training gathers batch statistics, which a graph would not.
        if self._exportable and len(rows) >= WORTH_EXPORTING and not _is_training(self.model):
            self._exportable = False
            self._graph = exported(self._network, self.preprocessing.crop)
        return self._run_torch(rows) if self._graph is None else self._graph.run(rows)

    def _run_torch(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        features = []
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            if self._bfloat16:
                stack.enter_context(torch.autocast(self._device.type, torch.bfloat16))
            for start in range(0, len(rows), BATCH):
                pixels = torch.from_numpy(np.stack(rows[start : start + BATCH]))
                if self._device.type == "cuda":
                    pixels = pixels.pin_memory()  # makes the copy asynchronous
                features.append(self._network(pixels.to(self._device, non_blocking=True)))
            return torch.cat(features).cpu().numpy()


class NetworkEmbedder(TwoStepEmbedder):
    """An embedder that runs a `Network`."""

    network: Network
    dimension: int

    @property
    def side(self) -> int:
        """Pixels of a crop's shorter side before its centre is cut out."""
        return self.network.preprocessing.resize

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        """The image resized and cut: uint8 (crop, crop, 3)."""
        return self.network.preprocessing.prepared(image)

    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """One row per prepared image: float32 (N, dimension)."""
        return self.network.embed_prepared(rows) if len(rows) else np.empty((0, self.dimension), np.float32)


def backbone(name: str, image_size: int) -> nn.Module:
    """A torchvision classification network with random weights, for square inputs of `image_size` pixels.

    Raises EmbedderError if torchvision has none of this name.
    """
    from torchvision import models

    check_name(name)
    options: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        # Their published weights expect inputs that the network itself normalises a second time.
        options = {"init_weights": False, "transform_input": True}
    elif name.startswith("vit_"):
        options = {"image_size": image_size}  # its position embedding has an entry for each patch
    network: nn.Module = models.get_model(name, weights=None, **options)
    return network


def check_name(name: str) -> None:
    """Raises EmbedderError if torchvision has no classification backbone of this name."""
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        raise EmbedderError(
            f"torchvision has no classification backbone {name!r}",
            remedy=f"one of {len(names)}, such as mobilenet_v3_large, resnet18, efficientnet_b0 or vit_b_16",
        )


def behead(model: nn.Module) -> tuple[int, str]:
    """Remove the classification layer in place, so that the model returns the layer's inputs.

    Returns the length of these features and the name of the removed module, whose weights a state dict may
    still contain.
    """
    name, head = [
        (name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)
    ][-1]
    if isinstance(head, nn.Linear):
        _replace(model, name, nn.Identity())
        return head.in_features, name
    # SqueezeNet classifies by a convolution and then pools: pool the inputs of that convolution instead.
    parent = name.rpartition(".")[0]
    _replace(model, parent, nn.AdaptiveAvgPool2d(1))
    return head.in_channels, parent


def _is_training(model: nn.Module) -> bool:
    return any(module.training for module in model.modules())


def _replace(model: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, new)
