"""timm's networks, by their names there or on the Hugging Face hub: an optional extra.

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
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")  # that Preprocessing carries out
_SEEDS = (0, 1)


class TimmEmbedder(NetworkEmbedder):
    """Pooled features of a network of timm's, with the preprocessing of its own configuration.

    The network is made as its weights were saved, loaded strictly, and only then loses its classifier
    (`reset_classifier(0)`, what `num_classes=0` makes): with `num_classes=0` from the start timm would
    leave at random what the weights lack.
    """

    def __init__(self, target: TimmTarget, *, cache_dir: Path) -> None:
        """Published weights are fetched into `cache_dir`, unless a checkpoint stands in for them.

        EmbedderError where the package, the name or the checkpoint is at fault; WeightsUnavailableError
        where the hub cannot be reached. Never random weights.
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
            "arguments": {k: v for k, v in source.arguments.items() if k != "num_classes"},
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
    """Both sides resized alike, the aspect not kept: timm's crop mode "squash"."""

    mode: str = "squash"

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        how = Image.Resampling[self.interpolation.upper()]
        return super().prepared(image.convert("RGB").resize((self.resize, self.resize), how))


@dataclass(frozen=True, kw_only=True)
class _Source:
    """What `timm.create_model` is told."""

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
        raise EmbedderError(f"{checkpoint} is missing", remedy="correct the path behind the network's name")
    if name.startswith(HUB):
        raise EmbedderError(
            f"the file {checkpoint} does not say what network {name} is",
            remedy=f"give the folder that holds it and the hub's {_CONFIG}, or one of timm's own names",
        )
    return _file(name, checkpoint)


def _check_name(name: str, *, published: bool) -> None:
    """EmbedderError where timm has no network of this name, or none with weights where they are needed."""
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        raise EmbedderError(
            f"timm has no network {architecture!r}",
            remedy=(f"did you mean {', '.join(near)}? " if near else "")
            + "a network of the Hugging Face hub is written timm:hf-hub:OWNER/NAME",
        )
    known = timm.list_models(f"{architecture}.*", pretrained=True)
    if tag and name not in known:
        raise EmbedderError(
            f"timm has no weights {tag!r} of {architecture}", remedy=f"one of: {', '.join(known) or 'none'}"
        )
    if published and not known:
        raise EmbedderError(
            f"timm has no published weights of {architecture}", remedy=f"give yours: timm:{name}:CHECKPOINT"
        )


def _hub(name: str, cache: Path) -> _Source:
    from timm.models._hub import load_model_config_from_hf

    try:
        _, _, arguments = load_model_config_from_hf(name.removeprefix(HUB), cache_dir=cache)
    except Exception as exc:  # the hub's client has its own errors, and the file may hold anything
        raise _refused(name, exc) from exc
    return _Source(name=name, options={"cache_dir": cache}, arguments=arguments)


def _folder(name: str, folder: Path) -> _Source:
    try:
        config = json.loads((folder / _CONFIG).read_text())
        architecture, arguments = str(config["architecture"]), dict(config.get("model_args") or {})
    except OSError as exc:
        raise EmbedderError(
            f"{folder / _CONFIG} cannot be read: {exc.strerror}",
            remedy=f"a folder is a download from the hub: {_CONFIG} and model.safetensors; or give a file",
        ) from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise EmbedderError(
            f"{folder / _CONFIG} does not describe a network of timm's: {exc!r}",
            remedy='it needs "architecture" and "pretrained_cfg", as timm saves them',
        ) from exc
    if not name.startswith(HUB) and name.partition(".")[0] != architecture:
        raise EmbedderError(
            f"{folder / _CONFIG} describes {architecture}, not {name}",
            remedy=f"write timm:{architecture}:{folder}",
        )
    return _Source(name=f"local-dir:{folder}", options={}, arguments=arguments)


def _file(name: str, file: Path) -> _Source:
    """Weights of one of timm's own networks, with any number of classes or without a classifier."""
    from timm.models import get_pretrained_cfg, load_state_dict

    try:
        state = load_state_dict(str(file))  # weights_only: a pickle runs nothing
        known = get_pretrained_cfg(name)
        named = known.classifier if known else None
        first = named if isinstance(named, str) or named is None else named[0]
        heads = [state[key] for head in (first, "head", "fc") if (key := f"{head}.weight") in state]
        classes = int(heads[0].shape[0]) if heads else 0
    except Exception as exc:  # reading a damaged file may raise anything
        raise EmbedderError(
            f"{file} holds no readable weights: {exc}", remedy="save a state dict as safetensors"
        ) from exc
    overlay = {"state_dict": state, "num_classes": classes, "label_offset": 0, "custom_load": False}
    return _Source(
        name=name, options={"pretrained_cfg_overlay": overlay, "num_classes": classes}, arguments={}
    )


def _load(source: _Source, spec: str) -> tuple[Any, str]:
    """The network without its classifier, and the digest of its weights.

    It is loaded twice from different seeds: where the digests differ, something was left at random,
    which timm's loaders for foreign weights and a few architectures do not report.
    """
    import timm
    import torch

    digests = set()
    for seed in _SEEDS:
        try:
            # Downloads may be announced on stdout, which belongs to what the command prints.
            with torch.random.fork_rng(devices=[]), redirect_stdout(sys.stderr):
                torch.manual_seed(seed)
                model = timm.create_model(source.name, pretrained=True, **_copied(source.options))
                model.reset_classifier(0)
        except Exception as exc:  # timm, the hub's client and torch have no root below this one
            raise _refused(spec.removeprefix("timm:"), exc) from exc
        model.pretrained_cfg.pop("state_dict", None)
        digests.add(_digest(model))
    if len(digests) > 1:
        raise EmbedderError(f"{spec} lacks weights of its network", remedy="save all of them")
    return model, digests.pop()


def _copied(options: Mapping[str, Any]) -> dict[str, Any]:
    """timm takes keys out of the state dict that it loads."""
    copied = dict(options)
    overlay = copied.get("pretrained_cfg_overlay")
    if overlay:
        copied["pretrained_cfg_overlay"] = overlay | {"state_dict": dict(overlay["state_dict"])}
    return copied


def _refused(what: str, exc: Exception) -> EmbedderError:
    """An error of timm's, the hub's or torch's, with what to do about it."""
    kinds = {kind.__name__ for kind in type(exc).__mro__}
    if "HFValidationError" in kinds:
        return EmbedderError(f"{what} is no name of the hub: {exc}", remedy="timm:hf-hub:OWNER/NAME")
    if "RepositoryNotFoundError" in kinds or "RevisionNotFoundError" in kinds:
        return EmbedderError(
            f"the hub has no {what}, or shows it only to who may see it: {exc}",
            remedy="correct OWNER/NAME in timm:hf-hub:OWNER/NAME",
        )
    local = "LocalEntryNotFoundError" in kinds  # neither there nor on this machine
    if "EntryNotFoundError" in kinds and not local:
        return EmbedderError(
            f"{what} is no network of timm's: {exc}", remedy="name one with config.json for timm"
        )
    # The hub's client raises errors of its HTTP library, which are no OSError.
    if local or isinstance(exc, OSError) or "HTTPError" in kinds or "TransportError" in kinds:
        return WeightsUnavailableError(
            f"the weights of {what} cannot be fetched: {exc}",
            remedy="connect once, or fetch the files elsewhere and write timm:NAME:CHECKPOINT, a file or a "
            "folder; HF_HUB_OFFLINE=1 takes what was fetched before without asking the hub",
        )
    return EmbedderError(
        f"{what} cannot be loaded: {exc}", remedy="name the network that these weights are of"
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
    """timm's evaluation transform as ours; EmbedderError where it is another kind."""
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
            f"{spec} wants images of another kind: {dict(config)}",
            remedy="name a network for square colour images, or export it: onnx:FILE",
        )
    return kinds[mode](
        resize=math.floor(height / config["crop_pct"]),
        crop=height,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        interpolation=config["interpolation"],
    )
