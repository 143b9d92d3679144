"""torchvision's detection networks, with their published weights or a checkpoint."""

from __future__ import annotations

import pickle
import threading
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from importers.detectors.boxes import detected_boxes
from importers.detectors.categories import class_names, to_categories
from importers.detectors.detector import LOWEST_CONFIDENCE, DetectedBox, file_digest
from pipeline.errors import DetectorError, PhotoError
from pipeline.images import REDUCING_GAP, Photo
from pipeline.records import ANIMAL

MAX_SIDE = 1333  # pixels: torchvision's networks shrink larger photographs (GeneralizedRCNNTransform)
COCO_CLASSES = 91  # in COCO's numbering, of which 0 is the background


class TorchvisionDetector:
    """A network of `torchvision.models.detection`, on the GPU if there is one."""

    def __init__(self, name: str, checkpoint: Path | None = None) -> None:
        """`checkpoint` is a state_dict, or `{"model": state_dict}` as torchvision's training scripts save it.

        Beside `model` it can have `categories`, a list of class names that starts with the background.
        Raises DetectorError if the network, its weights or the checkpoint cannot be used.
        """
        import torch
        from torchvision.models import detection as zoo
        from torchvision.models import get_model_weights, list_models

        known = list_models(module=zoo)
        if name not in known:
            raise DetectorError(
                f"torchvision has no detector {name!r}", remedy=f"choose one of {', '.join(known)}"
            )
        if checkpoint is None:
            weights = get_model_weights(name).DEFAULT
            self._model = _published(name, weights)
            names = list(weights.meta["categories"])
            self.id = f"torchvision:{name}:{weights.name}"
        else:
            self._model, names = _from_checkpoint(name, checkpoint)
            self.id = f"torchvision:{name}:{file_digest(checkpoint)}"
        self._categories = to_categories(names)  # by class
        self.categories = sorted({category for category in self._categories if category})
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = self._model.to(self._device).eval()
        self._lock = threading.Lock()  # a single run uses every core, or the GPU

    def detect(self, photo: Photo) -> list[DetectedBox]:
        """The boxes of animals, people and vehicles; the network does the non-maximum suppression itself.

        Raises PhotoError, of the kind `detector`, if the network fails on the photograph.
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
        except (RuntimeError, ValueError, AssertionError) as exc:  # for example, it is one pixel high
            raise PhotoError("detector", str(exc).splitlines()[0]) from exc
        scores = output["scores"].float().cpu().numpy()
        labels = output["labels"].cpu().numpy()
        size_of = np.array([image.width, image.height, image.width, image.height], dtype=np.float32)
        corners = np.clip(output["boxes"].float().cpu().numpy() / size_of, 0.0, 1.0)
        known = len(self._categories)
        categories = [self._categories[label] if label < known else None for label in labels]
        kept = [row for row, name in enumerate(categories) if name and scores[row] >= LOWEST_CONFIDENCE]
        return detected_boxes(corners[kept], scores[kept], [categories[row] or "" for row in kept])


def _published(name: str, weights: Any) -> Any:
    from torchvision.models import get_model

    try:
        return get_model(name, weights=weights)
    except (urllib.error.URLError, OSError, RuntimeError) as exc:
        raise DetectorError(
            f"the published weights of {name} cannot be downloaded: {exc}",
            remedy="connect to the internet once, or give a file as torchvision:NAME:CHECKPOINT",
        ) from exc


def _from_checkpoint(name: str, path: Path) -> tuple[Any, list[str]]:
    """The network with the checkpoint's weights, and its class names, the background first."""
    import torch
    from torchvision.models import get_model

    file_digest(path)
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as exc:
        raise DetectorError(f"{path} is not a torch checkpoint: {exc}", remedy="save a state_dict") from exc
    state = saved.get("model", saved) if isinstance(saved, Mapping) else saved
    if not isinstance(state, Mapping):
        raise DetectorError(f"{path} has no state_dict", remedy="save model.state_dict()")
    classes = _classes(get_model(name, weights=None, weights_backbone=None).state_dict(), state)
    model = get_model(name, weights=None, weights_backbone=None, num_classes=classes)
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError) as exc:
        first = str(exc).splitlines()[0]
        raise DetectorError(
            f"{path} does not fit {name}: {first}", remedy="name the network that it was trained as"
        ) from exc
    names = saved.get("categories") if "model" in saved else None
    if names is not None and (not isinstance(names, list) or len(names) != classes):
        raise DetectorError(
            f"{path} has {classes} classes, but `categories` is not a list of {classes} names",
            remedy="the background comes first and counts as one",
        )
    return model, [str(name) for name in names] if names else _assumed(classes)


def _classes(default: Mapping[str, Any], state: Mapping[str, Any]) -> int:
    """The number of classes of a checkpoint: the rows of its last layers, compared with those for COCO."""
    for key, tensor in default.items():
        saved = state.get(key)
        if saved is not None and saved.shape != tensor.shape and len(saved.shape) == len(tensor.shape):
            return max(1, round(COCO_CLASSES * int(saved.shape[0]) / int(tensor.shape[0])))
    return COCO_CLASSES


def _assumed(classes: int) -> list[str]:
    if classes == COCO_CLASSES:
        from torchvision.models.detection import SSDLite320_MobileNet_V3_Large_Weights

        return list(SSDLite320_MobileNet_V3_Large_Weights.COCO_V1.meta["categories"])
    return ["__background__", *(class_names(classes - 1) or [ANIMAL] * (classes - 1))]
