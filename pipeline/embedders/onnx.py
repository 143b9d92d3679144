"""Embedders in ONNX files, run by onnxruntime."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray
from PIL import Image

from pipeline.embedders.embedder import TwoStepEmbedder, embedder_id
from pipeline.errors import EmbedderError

log = logging.getLogger(__name__)

BATCH = 32
DEFAULT_SIZE = 224
IMAGENET_MEAN = (123.675, 116.28, 103.53)  # RGB, for values in 0..255
IMAGENET_STD = (58.395, 57.12, 57.375)
_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}
# The ranges in ONNX's image metadata (onnx/docs/MetadataProps.md) as mean and std for values in 0..255.
_RANGES = {"nominalrange_0_255": (0.0, 1.0), "normalized_0_1": (0.0, 255.0), "normalized_1_1": (127.5, 127.5)}


@dataclass(frozen=True, kw_only=True)
class _Input:
    """The input of the network."""

    name: str
    type: type[np.generic]
    channels_last: bool  # NHWC
    width: int
    height: int
    fixed_batch: int | None  # the only batch size that it accepts
    order: str  # of the channels: rgb or bgr
    mean: tuple[float, float, float]  # subtracted from values in 0..255, in `order`
    std: tuple[float, float, float]  # the divisor after that


class OnnxEmbedder(TwoStepEmbedder):
    """One output of an ONNX network; feature maps are averaged over their positions.

    Size, layout and type are those of the network's input. Channel order, mean and std come from the
    options, else from ONNX's image metadata in the file; else ImageNet's are assumed, with a warning.
    """

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        """`options` as in `onnx:FILE?size=227&channels=bgr&mean=103.9,116.8,123.7&std=1,1,1&output=embed`.

        `mean` and `std` are for values in 0 to 255, in the order of the channels; one number stands for all
        three. Raises EmbedderError, which names what is wrong with the file or the options.
        """
        import onnxruntime

        path = path.expanduser().resolve()
        session_options = onnxruntime.SessionOptions()
        session_options.intra_op_num_threads = cpu_count()
        session_options.inter_op_num_threads = 1
        # Waiting threads must not spin: between two runs the same cores decode crops.
        session_options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            weights = _content(path)
            self._session = onnxruntime.InferenceSession(
                str(path), session_options, providers=_providers(onnxruntime.get_available_providers())
            )
        except OSError as exc:
            raise EmbedderError(f"{path} cannot be read: {exc.strerror}", remedy="correct the path") from exc
        except Exception as exc:  # onnxruntime's errors have no common base class
            raise EmbedderError(
                f"{path} is not an ONNX network that onnxruntime can run: {exc}", remedy="export it again"
            ) from exc
        self._output = _read_output(path, self._session, options.get("output"))
        self._input = _read_input(path, self._session, options)
        self.dimension = self._run(np.zeros((1, self._input.height, self._input.width, 3))).shape[1]
        identity = {
            "weights": weights,
            "output": self._output,
            "size": [self._input.width, self._input.height],
            "channels": self._input.order,
            "mean": list(self._input.mean),
            "std": list(self._input.std),
        }
        self.id = embedder_id(path.stem, identity)
        query = "&".join(f"{name}={value}" for name, value in options.items())
        self.manifest: Mapping[str, Any] = {
            "kind": "onnx",
            "spec": f"onnx:{path}" + (f"?{query}" if query else ""),
            "dimension": self.dimension,
            **identity,
        }

    @property
    def side(self) -> int:
        """Pixels of the longer side of the network's input."""
        return max(self._input.width, self._input.height)

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        """The image resized to the network's input: uint8 (height, width, 3), RGB."""
        size = (self._input.width, self._input.height)
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BILINEAR))

    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """One row per prepared image: float32 (N, dimension)."""
        vectors = np.empty((len(rows), self.dimension), np.float32)
        step = self._input.fixed_batch or BATCH
        for start in range(0, len(rows), step):
            vectors[start : start + step] = self._run(np.stack(rows[start : start + step]))
        return vectors

    def _run(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """float32 (N, dimension) of RGB values in 0..255, (N, height, width, 3)."""
        network = self._input
        count = len(pixels)
        if network.fixed_batch is not None:
            pixels = np.resize(pixels, (network.fixed_batch, *pixels.shape[1:]))  # pads by repeating
        values = pixels[..., ::-1] if network.order == "bgr" else pixels
        mean, std = np.array(network.mean, np.float32), np.array(network.std, np.float32)
        values = (values.astype(np.float32) - mean) / std
        if not network.channels_last:
            values = values.transpose(0, 3, 1, 2)
        feed = {network.name: np.ascontiguousarray(values, dtype=network.type)}
        features = np.asarray(self._session.run([self._output], feed)[0], np.float32)
        if features.ndim == 4:
            features = features.mean(axis=(1, 2) if network.channels_last else (2, 3))
        if features.ndim != 2 or len(features) != len(pixels):
            raise EmbedderError(
                f"output {self._output!r} has the shape {features.shape} for {len(pixels)} images",
                remedy="choose an output of shape N x D, or of N feature maps",
            )
        return features[:count]


def _providers(available: Sequence[str]) -> list[str]:
    preferred = ("CUDAExecutionProvider", "CPUExecutionProvider")
    return [provider for provider in preferred if provider in available]


def _content(path: Path) -> str:
    """The SHA-256 of the network and of the weights that large networks keep in a second file."""
    hasher = hashlib.sha256()
    for part in (path, path.with_name(path.name + ".data"), path.with_name(path.name + "_data")):
        if part == path or part.exists():
            with part.open("rb") as file:
                hasher.update(hashlib.file_digest(file, "sha256").digest())
    return hasher.hexdigest()


def _read_input(path: Path, session: Any, options: Mapping[str, str]) -> _Input:
    inputs = session.get_inputs()
    shape = inputs[0].shape
    if len(inputs) != 1 or len(shape) != 4 or 3 not in (shape[1], shape[3]) or inputs[0].type not in _TYPES:
        described = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
        raise EmbedderError(
            f"the input of {path} is {described}", remedy="it must be one batch of images of three channels"
        )
    channels_last = shape[1] != 3
    height, width = (shape[1], shape[2]) if channels_last else (shape[2], shape[3])
    default = _side(options["size"]) if "size" in options else DEFAULT_SIZE
    for fixed in (height, width):
        if "size" in options and isinstance(fixed, int) and fixed != default:
            raise EmbedderError(
                f"the input of {path} has {width} x {height} pixels", remedy=f"remove size={default}"
            )
    order, mean, std = _normalisation(path, session, inputs[0].type, options)
    return _Input(
        name=inputs[0].name,
        type=_TYPES[inputs[0].type],
        channels_last=channels_last,
        width=width if isinstance(width, int) else default,
        height=height if isinstance(height, int) else default,
        fixed_batch=shape[0] if isinstance(shape[0], int) else None,
        order=order,
        mean=mean,
        std=std,
    )


def _normalisation(
    path: Path, session: Any, type_: str, options: Mapping[str, str]
) -> tuple[str, tuple[float, float, float], tuple[float, float, float]]:
    """Channel order, mean and std: from the options, from metadata, or assumed."""
    properties = session.get_modelmeta().custom_metadata_map
    metadata = {name.lower(): value.lower() for name, value in properties.items()}
    order = options.get("channels") or metadata.get("image.bitmappixelformat", "rgb")[:3]
    if order not in ("rgb", "bgr"):
        raise EmbedderError(f"{path}: channels={order} is unknown", remedy="use channels=rgb or channels=bgr")
    mean: tuple[float, ...] = IMAGENET_MEAN if order == "rgb" else IMAGENET_MEAN[::-1]
    std: tuple[float, ...] = IMAGENET_STD if order == "rgb" else IMAGENET_STD[::-1]
    nominal = metadata.get("image.nominalpixelrange")
    if type_ == "tensor(uint8)":
        mean, std = (0.0,), (1.0,)
    elif nominal in _RANGES:
        mean, std = ((value,) for value in _RANGES[nominal])
    elif "mean" not in options or "std" not in options:
        log.warning(
            "%s does not say how images must be normalised: ImageNet's mean and std are assumed. If that is "
            "wrong, give them, as in onnx:%s?channels=rgb&mean=127.5&std=127.5",
            path,
            path,
        )
    mean = _numbers("mean", options["mean"]) if "mean" in options else mean
    std = _numbers("std", options["std"]) if "std" in options else std
    if min(std) <= 0:
        raise EmbedderError(f"std={options.get('std')} is not above 0", remedy="give std above 0")
    return order, _three(mean), _three(std)


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = (values[0],) * 3 if len(values) == 1 else values
    return first, second, third


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError as exc:
        raise EmbedderError(
            f"{name}={text} is not a list of numbers", remedy="as in mean=103.9,116.8,123.7"
        ) from exc
    if len(values) not in (1, 3) or not np.isfinite(values).all():
        raise EmbedderError(
            f"{name}={text} is not one or three numbers", remedy="as in mean=103.9,116.8,123.7"
        )
    return values


def _side(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise EmbedderError(f"size={text} is not a number of pixels", remedy="as in size=224")
    return int(text)


def _read_output(path: Path, session: Any, requested: str | None) -> str:
    outputs = {output.name: output for output in session.get_outputs()}
    names = ", ".join(outputs)
    if requested is None and len(outputs) > 1:
        raise EmbedderError(f"{path} has the outputs {names}", remedy=f"choose: onnx:{path}?output=NAME")
    name = next(iter(outputs)) if requested is None else requested
    if name not in outputs:
        raise EmbedderError(f"{path} has no output {name!r}", remedy=f"choose one of: {names}")
    if outputs[name].type not in ("tensor(float)", "tensor(float16)"):
        raise EmbedderError(
            f"output {name!r} of {path} is {outputs[name].type}", remedy=f"choose one of: {names}"
        )
    return str(name)
