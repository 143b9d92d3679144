"""timm networks, by their name in timm or on the Hugging Face hub: an optional extra.

Written against timm 1.0.31: `create_model` with its `hf-hub:` and `local-dir:` sources, and
`timm.data.resolve_model_data_config`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.embedders.embedder import embedder_id
from pipeline.embedders.network import Network, NetworkEmbedder
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.embedders.spec import HUB, TimmTarget
from pipeline.embedders.torchvision import WeightsUnavailableError
from pipeline.errors import EmbedderError

if TYPE_CHECKING:
    import torch

_CONFIG = "config.json"
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")  # those of Preprocessing
_SEEDS = (0, 1)


class TimmEmbedder(NetworkEmbedder):
    """Pooled features of a timm network, with the preprocessing of its configuration.

    The network is built as its weights were saved, loaded strictly, and only then loses its classifier by
    `reset_classifier(0)`. With `num_classes=0` from the start, timm would leave random values where weights
    are missing.
    """

    def __init__(self, target: TimmTarget, *, cache_dir: Path) -> None:
        """Published weights are downloaded into `cache_dir`, unless the target names a checkpoint.

        Raises EmbedderError if the package is missing or the name or checkpoint is wrong, and
        WeightsUnavailableError if the hub cannot be reached. Weights are never random.
        """
        _import()
        checkpoint = Path(target.checkpoint).expanduser().resolve() if target.checkpoint else None
        spec = f"timm:{target.name}" + (f":{checkpoint}" if checkpoint else "")
        source = _source(target.name, checkpoint, cache_dir)
        model, digest = _load(source, spec)
        config = _data_config(model)
        preprocessing = _preprocessing(config, spec)
        self.network = Network(model, preprocessing)
        self.dimension = self.embed([Image.new("RGB", (preprocessing.crop,) * 2)]).shape[1]
        identity = {
            "backbone": str(model.pretrained_cfg["architecture"]),
            "arguments": {name: value for name, value in source.arguments.items() if name != "num_classes"},
            "weights": digest,
            "preprocessing": preprocessing.manifest(),
        }
        self.id = embedder_id(target.name.removeprefix(HUB), identity)
        self.manifest: Mapping[str, Any] = {
            "kind": "timm",
            "spec": spec,
            "dimension": self.dimension,
            **identity,
        }


@dataclass(frozen=True, kw_only=True)
class _Squashed(Preprocessing):
    """Resizes to a square without keeping the aspect ratio: timm's crop mode "squash"."""

    mode: str = "squash"

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        resampling = Image.Resampling[self.interpolation.upper()]
        return super().prepared(image.convert("RGB").resize((self.resize, self.resize), resampling))


@dataclass(frozen=True, kw_only=True)
class _Source:
    """The arguments of `timm.create_model`."""

    name: str
    options: Mapping[str, Any]
    arguments: Mapping[str, Any]  # of the architecture, from the hub's or the folder's config.json


def _import() -> None:
    try:
        import timm  # noqa: F401
    except ImportError as exc:
        raise EmbedderError(
            f"the timm package cannot be imported ({exc})",
            remedy="uv pip install '.[timm]', or name another embedder",
        ) from exc


def _source(name: str, checkpoint: Path | None, cache_dir: Path) -> _Source:
    if checkpoint is None:
        if not name.startswith(HUB):
            _check_name(name, published=True)
            return _Source(name=name, options={"cache_dir": cache_dir / "weights"}, arguments={})
        return _hub(name, cache_dir / "weights")
    if not name.startswith(HUB):
        _check_name(name, published=False)
    if checkpoint.is_dir():
        return _folder(name, checkpoint)
    if not checkpoint.is_file():
        raise EmbedderError(
            f"{checkpoint} does not exist", remedy="correct the path after the network's name"
        )
    if name.startswith(HUB):
        raise EmbedderError(
            f"the file {checkpoint} does not describe the network {name}",
            remedy=f"give the folder that contains it and the hub's {_CONFIG}, or one of timm's own names",
        )
    return _file(name, checkpoint)


def _check_name(name: str, *, published: bool) -> None:
    """Raises EmbedderError if timm lacks this network, or has no weights for it though `published`."""
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        similar = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        raise EmbedderError(
            f"timm has no network {architecture!r}",
            remedy=(f"did you mean {', '.join(similar)}? " if similar else "")
            + "for a network on the Hugging Face hub write timm:hf-hub:OWNER/NAME",
        )
    tagged = timm.list_models(f"{architecture}.*", pretrained=True)
    if tag and name not in tagged:
        raise EmbedderError(
            f"timm has no weights {tag!r} of {architecture}", remedy=f"one of: {', '.join(tagged) or 'none'}"
        )
    if published and not tagged:
        raise EmbedderError(
            f"timm has no published weights of {architecture}", remedy=f"give yours: timm:{name}:CHECKPOINT"
        )


def _hub(name: str, cache: Path) -> _Source:
    from timm.models._hub import load_model_config_from_hf

    try:
        _, _, arguments = load_model_config_from_hf(name.removeprefix(HUB), cache_dir=cache)
    except Exception as exc:  # the hub's client has its own errors, and the file may contain anything
        raise _translated(name, exc) from exc
    return _Source(name=name, options={"cache_dir": cache}, arguments=arguments)


def _folder(name: str, folder: Path) -> _Source:
    try:
        config = json.loads((folder / _CONFIG).read_text())
        architecture, arguments = str(config["architecture"]), dict(config.get("model_args") or {})
    except OSError as exc:
        raise EmbedderError(
            f"{folder / _CONFIG} cannot be read: {exc.strerror}",
            remedy=f"give a folder with {_CONFIG} and model.safetensors, as the hub has them, or a file",
        ) from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise EmbedderError(
            f"{folder / _CONFIG} does not describe a timm network: {exc!r}",
            remedy='it must have "architecture" and "pretrained_cfg", as timm writes them',
        ) from exc
    if not name.startswith(HUB) and name.partition(".")[0] != architecture:
        raise EmbedderError(
            f"{folder / _CONFIG} describes {architecture}, not {name}",
            remedy=f"write timm:{architecture}:{folder}",
        )
    return _Source(name=f"local-dir:{folder}", options={}, arguments=arguments)


def _file(name: str, file: Path) -> _Source:
    """Weights of a timm network with any number of classes, or without a classifier."""
    from timm.models import get_pretrained_cfg, load_state_dict

    try:
        state = load_state_dict(str(file))  # weights_only: a pickle runs no code
        config = get_pretrained_cfg(name)
        classifier = config.classifier if config else None
        first = classifier if isinstance(classifier, str) or classifier is None else classifier[0]
        heads = [state[key] for head in (first, "head", "fc") if (key := f"{head}.weight") in state]
        classes = int(heads[0].shape[0]) if heads else 0
    except Exception as exc:  # a damaged file may raise anything
        raise EmbedderError(
            f"{file} contains no readable weights: {exc}", remedy="save a state dict as safetensors"
        ) from exc
    overlay = {"state_dict": state, "num_classes": classes, "label_offset": 0, "custom_load": False}
    return _Source(
        name=name, options={"pretrained_cfg_overlay": overlay, "num_classes": classes}, arguments={}
    )


def _load(source: _Source, spec: str) -> tuple[Any, str]:
    """The network without its classifier, and the digest of its weights.

    It is loaded twice with different seeds: if the digests differ, some weights stayed random, which timm
    does not report for a few architectures and for weights in foreign formats.
    """
    import timm
    import torch

    digests = set()
    for seed in _SEEDS:
        try:
            # Downloads may be announced on stdout, which is for the output of the command.
            with torch.random.fork_rng(devices=[]), redirect_stdout(sys.stderr):
                torch.manual_seed(seed)
                model = timm.create_model(source.name, pretrained=True, **_copied(source.options))
                model.reset_classifier(0)
        except Exception as exc:  # the errors of timm, the hub and torch have no common base class
            raise _translated(spec.removeprefix("timm:"), exc) from exc
        model.pretrained_cfg.pop("state_dict", None)
        digests.add(_digest(model))
    if len(digests) > 1:
        raise EmbedderError(f"{spec} lacks weights of its network", remedy="save the whole state dict")
    return model, digests.pop()


def _copied(options: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the options, because timm removes keys from the state dict that it loads."""
    copied = dict(options)
    overlay = copied.get("pretrained_cfg_overlay")
    if overlay:
        copied["pretrained_cfg_overlay"] = overlay | {"state_dict": dict(overlay["state_dict"])}
    return copied


def _translated(what: str, exc: Exception) -> EmbedderError:
    """An error of timm, the hub or torch as one of ours, with a remedy."""
    kinds = {kind.__name__ for kind in type(exc).__mro__}
    if "HFValidationError" in kinds:
        return EmbedderError(f"{what} is not a name on the hub: {exc}", remedy="write timm:hf-hub:OWNER/NAME")
    if "RepositoryNotFoundError" in kinds or "RevisionNotFoundError" in kinds:
        return EmbedderError(
            f"the hub has no {what}, or it is private: {exc}",
            remedy="correct OWNER/NAME in timm:hf-hub:OWNER/NAME",
        )
    unreachable = "LocalEntryNotFoundError" in kinds  # and the file is not on this machine
    if "EntryNotFoundError" in kinds and not unreachable:
        return EmbedderError(
            f"{what} is not a timm network: {exc}", remedy="name one with a config.json for timm"
        )
    # The hub's client also raises errors of its HTTP library, which are not OSErrors.
    if unreachable or isinstance(exc, OSError) or "HTTPError" in kinds or "TransportError" in kinds:
        return WeightsUnavailableError(
            f"the weights of {what} cannot be downloaded: {exc}",
            remedy="connect once, or download the files elsewhere and write timm:NAME:CHECKPOINT with a file "
            "or a folder; HF_HUB_OFFLINE=1 uses earlier downloads without a request to the hub",
        )
    return EmbedderError(
        f"{what} cannot be loaded: {exc}", remedy="name the network to which these weights belong"
    )


def _digest(model: torch.nn.Module) -> str:
    import torch

    content = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        content.update(f"{name} {value.dtype} {tuple(value.shape)};".encode())
        content.update(value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return content.hexdigest()


def _data_config(model: torch.nn.Module) -> Mapping[str, Any]:
    from timm.data import resolve_model_data_config

    config: Mapping[str, Any] = resolve_model_data_config(model)
    return config


def _preprocessing(config: Mapping[str, Any], spec: str) -> Preprocessing:
    """timm's evaluation transform; EmbedderError if Preprocessing cannot express it."""
    channels, height, width = config["input_size"]
    kinds = {"center": Preprocessing, "squash": _Squashed}
    mode = config["crop_mode"] or "center"
    if (
        channels != 3
        or height != width
        or mode not in kinds
        or config["interpolation"] not in _INTERPOLATIONS
    ):
        raise EmbedderError(
            f"{spec} expects images that are not supported: {dict(config)}",
            remedy="choose a network for square colour images, or export this one and write onnx:FILE",
        )
    return kinds[mode](
        resize=math.floor(height / config["crop_pct"]),
        crop=height,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=config["interpolation"],
    )
