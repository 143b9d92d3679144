"""A torchvision classification network without its head, run over batches of crops."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.embedders.hardware import has_fast_bfloat16, limit_torch_threads, torch_device
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.errors import EmbedderError

if TYPE_CHECKING:
    import torch

BATCH = 64  # crops in one forward pass; more gains nothing on a CPU and little on a GPU


class Network:
    """Pooled features of the layer before the classification head.

    channels_last throughout; bfloat16 where the machine computes it natively; a GPU where there is one.
    """

    def __init__(self, model: torch.nn.Module, preprocessing: Preprocessing) -> None:
        """`model` is `backbone` after `behead`, weights loaded; it is changed in place and kept."""
        import torch

        limit_torch_threads()
        self._preprocessing = preprocessing
        self._device = torch_device()
        self._bfloat16 = has_fast_bfloat16(self._device)
        self._model = model.eval().to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        shape = (1, 3, 1, 1)
        self._mean = torch.tensor(preprocessing.mean, device=self._device).view(shape) * 255
        self._std = torch.tensor(preprocessing.std, device=self._device).view(shape) * 255

    def embed(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """float32 (N, dimension)."""
        import torch

        rows = []
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            if self._bfloat16:
                stack.enter_context(torch.autocast(self._device.type, torch.bfloat16))
            for start in range(0, len(images), BATCH):
                pixels = self._preprocessing.pixels(images[start : start + BATCH])
                # NHWC in memory, seen as NCHW: already channels_last, nothing is copied.
                batch = torch.from_numpy(pixels).to(self._device).permute(0, 3, 1, 2)
                normal = (batch.float() - self._mean) / self._std
                rows.append(self._model(normal).flatten(1).float().cpu())
        return torch.cat(rows).numpy()


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


def _replace(model: torch.nn.Module, name: str, new: torch.nn.Module) -> None:
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, new)
