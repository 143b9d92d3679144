"""torchvision's detection networks, with their published weights or from a checkpoint."""

from __future__ import annotations

import pickle
import threading
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from importers.detectors.boxes import findings
from importers.detectors.categories import class_names, to_categories
from importers.detectors.detector import LOWEST_CONFIDENCE, DetectedBox, file_digest
from pipeline.errors import DetectorError, PhotoError
from pipeline.images import REDUCING_GAP, Photo
from pipeline.records import ANIMAL

MAX_SIDE = 1333  # pixels: torchvision's own networks shrink what is larger (GeneralizedRCNNTransform)
COCO_CLASSES = 91  # of COCO's own numbering, 0 the background


class TorchvisionDetector:
    """One of `torchvision.models.detection`, on the GPU where there is one."""

    def __init__(self, name: str, checkpoint: Path | None = None) -> None:
        """`checkpoint` is a state_dict, or what torchvision's training scripts save: `{"model": ...}`.

        Beside `model` it may hold `categories`, a list of names of which the first is the background.
        Raises DetectorError.
        """
        import torch
        from torchvision.models import detection as zoo
        from torchvision.models import get_model_weights, list_models

        known = list_models(module=zoo)
        if name not in known:
            raise DetectorError(f"torchvision has no detector {name!r}", remedy=f"one of {', '.join(known)}")
        if checkpoint is None:
            weights = get_model_weights(name).DEFAULT
            self._model = _published(name, weights)
            names = list(weights.meta["categories"])
            self.id = f"torchvision:{name}:{weights.name}"
        else:
            self._model, names = _from_checkpoint(name, checkpoint)
            self.id = f"torchvision:{name}:{file_digest(checkpoint)}"
        self._mapped = to_categories(names)
        self.categories = sorted({category for category in self._mapped if category})
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = self._model.to(self._device).eval()
        self._lock = threading.Lock()  # one run at a time uses every core, or the GPU, by itself

    def detect(self, photo: Photo) -> list[DetectedBox]:
        """Findings of the mapped categories; the network suppresses doubles itself.

        Raises PhotoError, kind `detector`, where the network fails on it.
        """
        import torch

        image = photo.pixels()
        zoom = min(1.0, MAX_SIDE / max(image.size))
        if zoom < 1.0:
            size = (max(1, round(image.width * zoom)), max(1, round(image.height * zoom)))
            image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        try:
            with self._lock, torch.inference_mode():
                output = self._model([pixels.to(self._device, torch.float32).div_(255)])[0]
        except (RuntimeError, ValueError, AssertionError) as exc:  # a photograph one pixel high, say
            raise PhotoError("detector", str(exc).splitlines()[0]) from exc
        scores = output["scores"].float().cpu().numpy()
        labels = output["labels"].cpu().numpy()
        size_of = np.array([image.width, image.height, image.width, image.height], dtype=np.float32)
        corners = np.clip(output["boxes"].float().cpu().numpy() / size_of, 0.0, 1.0)
        names = [self._mapped[label] if label < len(self._mapped) else None for label in labels]
        kept = [i for i, name in enumerate(names) if name and scores[i] >= LOWEST_CONFIDENCE]
        return findings(corners[kept], scores[kept], [names[index] or "" for index in kept])


def _published(name: str, weights: Any) -> Any:
    from torchvision.models import get_model

    try:
        return get_model(name, weights=weights)
    except (urllib.error.URLError, OSError, RuntimeError) as exc:
        raise DetectorError(
            f"the published weights of {name} cannot be had: {exc}",
            remedy="connect to the internet once, or give a file as torchvision:NAME:CHECKPOINT",
        ) from exc


def _from_checkpoint(name: str, path: Path) -> tuple[Any, list[str]]:
    """The network with the checkpoint's weights, and its classes' names, the background first."""
    import torch
    from torchvision.models import get_model

    file_digest(path)
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as exc:
        raise DetectorError(f"{path} is no torch checkpoint: {exc}", remedy="save a state_dict") from exc
    state = saved.get("model", saved) if isinstance(saved, Mapping) else saved
    if not isinstance(state, Mapping):
        raise DetectorError(f"{path} holds no state_dict", remedy="save model.state_dict()")
    classes = _classes(get_model(name, weights=None, weights_backbone=None).state_dict(), state)
    model = get_model(name, weights=None, weights_backbone=None, num_classes=classes)
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError) as exc:
        first = str(exc).splitlines()[0]
        raise DetectorError(f"{path} does not fit {name}: {first}", remedy="name its own network") from exc
    names = saved.get("categories") if "model" in saved else None
    if names is not None and (not isinstance(names, list) or len(names) != classes):
        raise DetectorError(
            f"{path} has {classes} classes, but `categories` is no list of as many names",
            remedy="the background counts, and comes first",
        )
    return model, [str(entry) for entry in names] if names else _assumed(classes)


def _classes(default: Mapping[str, Any], state: Mapping[str, Any]) -> int:
    """How many classes the checkpoint's last layers tell, by their rows against those for COCO."""
    for key, tensor in default.items():
        theirs = state.get(key)
        if theirs is not None and theirs.shape != tensor.shape and len(theirs.shape) == len(tensor.shape):
            return max(1, round(COCO_CLASSES * int(theirs.shape[0]) / int(tensor.shape[0])))
    return COCO_CLASSES


def _assumed(classes: int) -> list[str]:
    if classes == COCO_CLASSES:
        from torchvision.models.detection import SSDLite320_MobileNet_V3_Large_Weights

        return list(SSDLite320_MobileNet_V3_Large_Weights.COCO_V1.meta["categories"])
    return ["__background__", *(class_names(classes - 1) or [ANIMAL] * (classes - 1))]
