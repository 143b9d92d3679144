"""The weights that a training begins with."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision import models

from pipeline.embedder_training.recipe import Recipe
from pipeline.embedder_training.starting_weights import begin
from pipeline.embedders.checkpoint import save
from pipeline.embedders.network import Projected, backbone
from pipeline.embedders.torchvision import WeightsUnavailableError
from pipeline.errors import EmbedderError
from tests.helpers.labelled_crops import SMALL, network


def begun(recipe: Recipe, start: str, data_dir: Path) -> tuple[Projected, str]:
    found = begin(recipe, start, data_dir)
    return found.model, found.weights


def alike(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    others = other.state_dict()
    return all(torch.equal(value, others[name]) for name, value in one.state_dict().items())


def test_from_scratch_the_weights_follow_from_the_seed(tmp_path: Path) -> None:
    one, text = begun(SMALL, "scratch", tmp_path)
    torch.manual_seed(9)  # whatever was drawn before
    again, same = begun(SMALL, "scratch", tmp_path)
    other, different = begun(replace(SMALL, seed=1), "scratch", tmp_path)
    assert alike(one, again)
    assert text == same
    assert text.startswith("scratch")
    assert not alike(one, other)
    assert text != different


@pytest.mark.usefixtures("unreachable")
def test_without_published_weights_auto_begins_from_scratch_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        model, text = begun(SMALL, "auto", tmp_path)
    assert text.startswith("scratch")
    assert alike(model, network())
    assert "training starts from scratch" in caplog.text
    assert "no route to host" in caplog.text
    assert str(tmp_path / "cache" / "weights") in caplog.text


@pytest.mark.usefixtures("unreachable")
def test_published_weights_that_were_asked_for_are_never_replaced_by_others(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailableError, match="cannot be downloaded"):
        begin(SMALL, "published", tmp_path)


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("start", ["published", "auto"])
def test_published_weights_in_the_cache_are_begun_with(tmp_path: Path, start: str) -> None:
    weights = models.get_model_weights(SMALL.backbone)["DEFAULT"]
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    torch.manual_seed(4)
    whole = backbone(SMALL.backbone, 64)
    torch.save(whole.state_dict(), folder / Path(weights.url).name)
    model, text = begun(SMALL, start, tmp_path)
    assert torch.equal(model.backbone.state_dict()["conv1.0.weight"], whole.state_dict()["conv1.0.weight"])
    assert torch.equal(model.projection.weight, network().projection.weight)
    assert Path(weights.url).name in text


def kept(folder: Path, *, dimension: int = SMALL.dimension) -> Projected:
    """A trained embedder's folder, and the model in it."""
    torch.manual_seed(6)
    model = Projected(SMALL.backbone, SMALL.side, dimension)
    save(folder, name=SMALL.backbone, model=model, preprocessing=SMALL.preprocessing, training={})
    return model


@pytest.mark.parametrize("start", ["former", "checkpoint:{}/embedders/former"])
def test_a_trained_embedder_is_learned_on_projection_and_all(tmp_path: Path, start: str) -> None:
    former = kept(tmp_path / "embedders" / "former")
    model, text = begun(SMALL, start.format(tmp_path), tmp_path)
    assert alike(model, former)
    assert text.startswith(start.format(tmp_path))
    assert "sha256" in text


def test_of_a_trained_embedder_with_another_dimension_the_backbone_is_taken(tmp_path: Path) -> None:
    former = kept(tmp_path / "embedders" / "former", dimension=12)
    model, text = begun(SMALL, "former", tmp_path)
    assert alike(model.backbone, former.backbone)
    assert torch.equal(model.projection.weight, network().projection.weight)
    assert "projection of seed 0" in text


def test_a_checkpoint_without_a_projection_gets_a_new_one(tmp_path: Path) -> None:
    torch.manual_seed(6)
    whole = backbone(SMALL.backbone, SMALL.side)
    save(tmp_path / "plain", name=SMALL.backbone, model=whole, preprocessing=SMALL.preprocessing)
    model, text = begun(SMALL, f"checkpoint:{tmp_path / 'plain'}", tmp_path)
    assert alike(model.backbone, whole)
    assert torch.equal(model.projection.weight, network().projection.weight)
    assert "projection of seed 0" in text


def test_a_checkpoint_of_another_backbone_is_refused_with_the_right_one(tmp_path: Path) -> None:
    kept(tmp_path / "embedders" / "former")
    with pytest.raises(EmbedderError, match=f"train with --backbone {SMALL.backbone}"):
        begin(replace(SMALL, backbone="mobilenet_v3_small"), "former", tmp_path)


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ("descriptor", "cannot start from 'descriptor'"),
        ("torchvision:resnet18", "cannot start from"),
        ("unknown", "train one first"),
        ("checkpoint:nowhere", "cannot be read"),
    ],
)
def test_a_start_that_is_none_is_refused(tmp_path: Path, start: str, says: str) -> None:
    with pytest.raises(EmbedderError, match=says):
        begin(SMALL, start, tmp_path)


@pytest.mark.parametrize(("name", "side"), [("alexnet", 32), ("vit_b_16", 40)])
def test_squares_that_a_network_cannot_see_are_refused_before_training(
    tmp_path: Path, name: str, side: int
) -> None:
    with pytest.raises(EmbedderError, match=f"cannot read squares of {side} pixels") as caught:
        begin(replace(SMALL, backbone=name, side=side), "scratch", tmp_path)
    assert "--side" in str(caught.value)


def test_a_network_with_auxiliary_classifiers_gives_one_vector_in_training(tmp_path: Path) -> None:
    model, _ = begun(replace(SMALL, backbone="googlenet"), "scratch", tmp_path)
    assert model.train()(torch.zeros(2, 3, 32, 32)).shape == (2, SMALL.dimension)
