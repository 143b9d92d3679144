"""The starting weights of a training."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.embedder_training.recipe import Recipe
from pipeline.embedders import checkpoint, trained
from pipeline.embedders.network import Projected, backbone, behead
from pipeline.embedders.spec import TRAINED, parse
from pipeline.embedders.torchvision import WeightsUnavailableError, published
from pipeline.errors import EmbedderError

log = logging.getLogger(__name__)

AUTO, PUBLISHED, SCRATCH = "auto", "published", "scratch"


@dataclass(frozen=True, kw_only=True)
class Start:
    """A network to train."""

    model: Projected
    weights: str  # identifies them: the same text means the same weights
    classes: tuple[str, ...] = ()  # species that the weights were trained on
    sources: tuple[str, ...] = ()  # of the crops that the weights were trained on

    @property
    def is_fresh(self) -> bool:
        """Whether the weights are random."""
        return self.weights.startswith(f"{SCRATCH},")


def begin(recipe: Recipe, start: str, data_dir: Path) -> Start:
    """The network with its starting weights.

    `start` is `published` (torchvision's, of ImageNet), `scratch`, `auto` (the first if it is available,
    otherwise, with a warning, the second), the name of a trained embedder, or `checkpoint:FOLDER`. Raises
    EmbedderError if the weights are not available or do not fit.
    """
    model = _untrained(recipe)
    if start in (AUTO, PUBLISHED):
        try:
            return Start(model=model, weights=_publish(model, recipe, data_dir))
        except WeightsUnavailableError as exc:
            if start == PUBLISHED:
                raise
            log.warning("Published weights are not available, training starts from scratch: %s", exc)
    if start in (AUTO, SCRATCH):
        return Start(model=model, weights=f"{SCRATCH}, seed {recipe.seed}")
    named = parse(start)
    if named.kind not in (TRAINED, "checkpoint"):
        raise EmbedderError(
            f"training cannot start from {start!r}",
            remedy=f"use {AUTO}, {PUBLISHED}, {SCRATCH}, a trained embedder's name, or checkpoint:FOLDER",
        )
    is_trained = named.kind == TRAINED
    folder = trained.folder(data_dir, named.target) if is_trained else Path(named.target).expanduser()
    whole = checkpoint.fill_backbone(model, recipe.backbone, recipe.preprocessing, folder)
    rest = "" if whole else f", projection of seed {recipe.seed}"
    training = checkpoint.manifest(folder).get("training", {})
    return Start(
        model=model,
        weights=f"{start}, sha256 {checkpoint.digest(folder)}{rest}",
        classes=tuple(training.get("classes", ())),
        sources=tuple(training.get("data", {}).get("sources", ())),
    )


def _untrained(recipe: Recipe) -> Projected:
    torch.manual_seed(recipe.seed)
    try:
        model = Projected(recipe.backbone, recipe.side, recipe.dimension)
        with torch.inference_mode():
            model.eval()(torch.zeros(1, 3, recipe.side, recipe.side))
    except (RuntimeError, AssertionError) as exc:
        raise EmbedderError(
            f"a {recipe.backbone} cannot read squares of {recipe.side} pixels: {exc}",
            remedy="train with another --side, such as 224",
        ) from exc
    if hasattr(model.backbone, "aux_logits"):  # GoogLeNet and Inception have further outputs in training
        model.backbone.aux_logits = False  # type: ignore[assignment]
    return model


def _publish(model: Projected, recipe: Recipe, data_dir: Path) -> str:
    weights, state = published(recipe.backbone, "DEFAULT", data_dir / "cache")
    whole = backbone(recipe.backbone, recipe.side)
    try:
        whole.load_state_dict(state)
    except RuntimeError as exc:  # the position embedding of a vision transformer has one entry per patch
        raise EmbedderError(
            f"the published weights do not fit: {exc}",
            remedy="train with the --side that they were trained with",
        ) from exc
    behead(whole)
    model.backbone.load_state_dict(whole.state_dict())
    return f"{weights}, {weights.url.rpartition('/')[2]}, projection of seed {recipe.seed}"
