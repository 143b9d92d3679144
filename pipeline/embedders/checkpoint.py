"""A checkpoint folder: weights of a torchvision backbone as safetensors, with a JSON manifest.

Networks trained here have a projection after the backbone; `training` in the manifest describes from what
and how they learned.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.embedders.embedder import embedder_id
from pipeline.embedders.network import Network, NetworkEmbedder, Projected, backbone, behead
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.embedders.trained import MANIFEST
from pipeline.errors import EmbedderError

if TYPE_CHECKING:
    import torch

WEIGHTS = "weights.safetensors"


class CheckpointEmbedder(NetworkEmbedder):
    """The network in a checkpoint folder; its id follows from the content of the files."""

    def __init__(self, folder: Path, *, spec: str | None = None) -> None:
        """`spec` is the text that names this embedder; the default is `checkpoint:FOLDER`.

        Raises EmbedderError, which names the file, if the folder is not such a checkpoint.
        """
        folder = folder.expanduser().resolve()
        manifest = _manifest(folder / MANIFEST)
        preprocessing = Preprocessing.from_manifest(manifest["preprocessing"])
        name = manifest["backbone"]
        weights = folder / manifest["weights"]
        if manifest.get("projected"):
            self.dimension, head = manifest["dimension"], None
            model: torch.nn.Module = Projected(name, preprocessing.crop, self.dimension)
        else:
            model = backbone(name, preprocessing.crop)
            self.dimension, head = behead(model)
        if manifest["dimension"] != self.dimension:
            raise EmbedderError(
                f"{folder / MANIFEST} says dimension {manifest['dimension']}, {name} gives {self.dimension}",
                remedy="correct the dimension or the backbone",
            )
        _fill(model, _state(weights), head, weights)
        self.network = Network(model, preprocessing)
        identity = {
            "backbone": name,
            "weights": digest(folder),
            "without": head,
            "preprocessing": preprocessing.manifest(),
        }
        self.id = embedder_id(folder.name, identity)
        self.manifest: Mapping[str, Any] = {
            "kind": "checkpoint",
            "spec": spec or f"checkpoint:{folder}",
            "dimension": self.dimension,
            **identity,
            **({"training": manifest["training"]} if "training" in manifest else {}),
        }


def save(
    folder: Path,
    *,
    name: str,
    model: torch.nn.Module,
    preprocessing: Preprocessing,
    training: Mapping[str, Any] | None = None,
) -> None:
    """Write `model`, a `Projected` or a torchvision `name` with or without its head, as a checkpoint folder.

    `training` is JSON that describes from what and how it learned. The manifest is written last: a folder
    without it is not a checkpoint.
    """
    from safetensors.torch import save_model

    projected = isinstance(model, Projected)
    dimension = model.dimension if projected else behead(backbone(name, preprocessing.crop))[0]
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, str(folder / WEIGHTS))
    manifest = {
        "backbone": name,
        "dimension": dimension,
        "weights": WEIGHTS,
        "preprocessing": preprocessing.manifest(),
        **({"projected": True} if projected else {}),
        **({"training": dict(training)} if training is not None else {}),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def fill_backbone(model: Projected, name: str, preprocessing: Preprocessing, folder: Path) -> bool:
    """Load the weights of a checkpoint folder, with or without projection, into `model` of backbone `name`.

    Returns whether the projection got weights, too: those of another dimension do not fit. Raises
    EmbedderError, which names the file, if the folder has another backbone, or another normalisation than
    `preprocessing`.
    """
    manifest = _manifest(folder / MANIFEST)
    weights = folder / manifest["weights"]
    stored = Preprocessing.from_manifest(manifest["preprocessing"])
    if manifest["backbone"] != name:
        raise EmbedderError(
            f"{folder} is a {manifest['backbone']}, not a {name}",
            remedy=f"train with --backbone {manifest['backbone']}",
        )
    if (stored.mean, stored.std) != (preprocessing.mean, preprocessing.std):
        raise EmbedderError(
            f"{folder} normalises with mean {stored.mean} and std {stored.std}; training uses "
            f"{preprocessing.mean} and {preprocessing.std}",
            remedy="start from weights that were trained with ImageNet's mean and std",
        )
    state = _state(weights)
    if not manifest.get("projected"):
        _, head = behead(backbone(name, stored.crop))
        _fill(model.backbone, state, head, weights)
        return False
    projection_fits = bool(manifest["dimension"] == model.dimension)
    if not projection_fits:
        state = {key: value for key, value in state.items() if key.startswith("backbone.")}
        state |= {f"projection.{key}": value for key, value in model.projection.state_dict().items()}
    _fill(model, state, None, weights)
    return projection_fits


def manifest(folder: Path) -> dict[str, Any]:
    """The folder's manifest. Raises EmbedderError, which names the file, if it is not valid."""
    return _manifest(folder / MANIFEST)


def digest(folder: Path) -> str:
    """The SHA-256 of the weights file in a checkpoint folder, in hexadecimal."""
    path = folder / _manifest(folder / MANIFEST)["weights"]
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(path: Path) -> dict[str, Any]:
    try:
        manifest: Any = json.loads(path.read_text())
    except OSError as exc:
        raise EmbedderError(
            f"{path} cannot be read: {exc.strerror}",
            remedy=f"name a folder with {MANIFEST} and a file of weights",
        ) from exc
    except ValueError as exc:
        raise EmbedderError(f"{path} is not JSON: {exc}", remedy="restore the file") from exc
    required: dict[str, type] = {"backbone": str, "dimension": int, "weights": str, "preprocessing": dict}
    for key, kind in required.items():
        if not isinstance(manifest, dict) or not isinstance(manifest.get(key), kind):
            raise EmbedderError(f"{path} lacks {key!r}", remedy=f"it must have {', '.join(required)}")
    if Path(manifest["weights"]).name != manifest["weights"]:
        raise EmbedderError(
            f"{path}: the file of weights must lie in the same folder", remedy="name it without a folder"
        )
    return dict(manifest)


def _state(path: Path) -> Mapping[str, torch.Tensor]:
    import torch
    from safetensors.torch import load_file

    try:
        state = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except FileNotFoundError as exc:
        raise EmbedderError(f"{path} does not exist", remedy=f"correct `weights` in {MANIFEST}") from exc
    except Exception as exc:  # a damaged file may raise anything
        raise EmbedderError(
            f"{path} contains no readable weights: {exc}", remedy="save a state dict as safetensors"
        ) from exc
    if not isinstance(state, dict):
        raise EmbedderError(f"{path} contains no state dict", remedy="save model.state_dict()")
    return state


def _fill(model: torch.nn.Module, state: Mapping[str, torch.Tensor], head: str | None, path: Path) -> None:
    """Load the weights; those of `head`, which the model no longer has, are ignored."""
    if head is not None:
        state = {name: value for name, value in state.items() if not name.startswith(f"{head}.")}
    try:
        model.load_state_dict(state)
    except RuntimeError as exc:
        raise EmbedderError(
            f"{path} does not fit its backbone: {exc}",
            remedy="correct `backbone`; to train from it, give the --side that it was made for",
        ) from exc
