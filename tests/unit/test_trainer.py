"""Short trainings of small networks: what they learn, what ends them, and what they keep."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.embedder_training import forward, validation
from pipeline.embedder_training.corpus import corpus
from pipeline.embedder_training.trainer import Trainer
from pipeline.embedders import load
from pipeline.embedders.checkpoint import save
from pipeline.embedders.network import Projected
from pipeline.errors import EmbedderError
from pipeline.evaluation.dataset_folder import Crop
from pipeline.evaluation.retrieval import Retrieval, Rows, retrieval
from pipeline.images import Photo, read_file
from tests.helpers.labelled_crops import SMALL, listed, network, trainer, written

ONE = replace(SMALL, epochs=1)


@pytest.fixture
def crops(tmp_path: Path) -> list[Crop]:
    """48 crops at four places."""
    return written(tmp_path, listed())


def recall_at_1(model: Projected, root: Path, crops: list[Crop], data_dir: Path) -> float:
    """At the places that are held out of the crops, by the embedder that is made of the model."""
    save(
        data_dir / "embedders" / "judged",
        name=SMALL.backbone,
        model=model,
        preprocessing=SMALL.preprocessing,
    )
    embedder = load("judged", data_dir=data_dir)
    cropped = corpus(root, crops, seed=SMALL.seed)
    asked, answering = (
        Rows(
            vectors=embedder.embed(
                [Photo(read_file(root / cropped.crops[row].file_name)).pixels() for row in rows]
            ),
            species=cropped.species[rows],
            sequences=cropped.sequences[rows],
        )
        for rows in (cropped.queries, cropped.learned)
    )
    found = retrieval(asked, answering).recall_at_1
    assert found is not None
    return found


def test_training_from_scratch_beats_the_untrained_network_at_other_places(tmp_path: Path) -> None:
    crops = written(tmp_path, listed(each=4), noise=60)
    recipe = replace(SMALL, loss="cross-entropy", dimension=32, epochs=8, rate=3e-3)
    before = recall_at_1(network(recipe), tmp_path, crops, tmp_path / "before")
    model = network(recipe)
    cropped = corpus(tmp_path, crops, seed=recipe.seed)
    done = Trainer(cropped, recipe, model, tmp_path, inputs="", workers=0).run()
    after = recall_at_1(model, tmp_path, crops, tmp_path / "after")
    assert after >= 0.75
    assert after > before + 0.3
    assert after == pytest.approx(done.best.recall_at_1, abs=0.07)  # what the log says, the embedder does


def test_a_broken_crop_costs_itself_alone_and_is_told(tmp_path: Path, crops: list[Crop]) -> None:
    cropped = corpus(tmp_path, crops, seed=0)
    first, second = cropped.crops[cropped.learned[0]].file_name, cropped.crops[cropped.learned[5]].file_name
    third = cropped.crops[cropped.queries[0]].file_name
    (tmp_path / first).write_bytes((tmp_path / first).read_bytes()[:900])
    (tmp_path / second).unlink()
    (tmp_path / third).write_bytes(b"no photograph")
    done = trainer(tmp_path, crops, tmp_path / "work", ONE).run()
    assert set(done.broken) == {first, second, third}
    assert done.broken[second].startswith("missing")
    assert done.broken[third].startswith("not_an_image")
    assert math.isfinite(done.best.loss)
    assert done.best.broken >= 3


def test_crops_that_are_all_unreadable_end_the_training_with_a_question(
    tmp_path: Path, crops: list[Crop]
) -> None:
    for crop in crops:
        (tmp_path / crop.file_name).unlink()
    with pytest.raises(EmbedderError, match="no validation crop can be read"):
        trainer(tmp_path, crops, tmp_path / "work", ONE).run()


def test_a_loss_that_is_no_number_ends_the_training_with_the_remedy(
    tmp_path: Path, crops: list[Crop]
) -> None:
    with pytest.raises(EmbedderError, match="lower --rate"):
        trainer(tmp_path, crops, tmp_path / "work", replace(SMALL, rate=1e30)).run()


def test_training_ends_where_validation_no_longer_rises_and_keeps_the_best_weights(
    tmp_path: Path, crops: list[Crop], monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = [0.5, 0.7, 0.6, 0.7, 0.6, 0.9]
    weights: list[dict[str, torch.Tensor]] = []
    model = network()

    def scripted(*_: Rows) -> Retrieval:
        figure = figures[len(weights)]
        weights.append({name: value.clone() for name, value in model.state_dict().items()})
        return Retrieval(query_rows=np.zeros(1, np.intp), values=np.full((1, 3), figure))

    monkeypatch.setattr(validation, "retrieval", scripted)
    recipe = replace(SMALL, epochs=6, patience=3)
    cropped = corpus(tmp_path, crops, seed=0)
    done = Trainer(cropped, recipe, model, tmp_path, inputs="", workers=0).run()
    assert [one.map_at_r for one in done.epochs] == figures[:5]
    assert done.best.epoch == 2  # the first of two that are as good
    kept = model.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in weights[1].items())
    assert not all(torch.equal(kept[name], value) for name, value in weights[3].items())
    with (tmp_path / "log.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["map_at_r"] for row in table] == ["0.5", "0.7", "0.6", "0.7", "0.6"]
    assert [row["step"] for row in table] == ["2", "4", "6", "8", "10"]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_training_does_not_end_before_half_of_its_epochs(
    tmp_path: Path, crops: list[Crop], monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = iter([0.9, *[0.1] * 9])
    monkeypatch.setattr(
        validation,
        "retrieval",
        lambda *_: Retrieval(query_rows=np.zeros(1, np.intp), values=np.full((1, 3), next(figures))),
    )
    recipe = replace(SMALL, epochs=10, patience=2)
    cropped = corpus(tmp_path, crops, seed=0)
    done = Trainer(cropped, recipe, network(), tmp_path, inputs="", workers=0).run()
    assert (len(done.epochs), done.best.epoch) == (5, 1)


def loss_of(tmp_path: Path, crops: list[Crop], folder: str) -> float:
    return trainer(tmp_path, crops, tmp_path / folder, ONE).run().best.loss


def test_in_bfloat16_the_loss_is_nearly_the_same(
    tmp_path: Path, crops: list[Crop], monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = []
    for answer in (False, True):
        monkeypatch.setattr(forward, "has_fast_bfloat16", lambda _device, answer=answer: answer)
        losses.append(loss_of(tmp_path, crops, str(answer)))
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="float16 and its scaler are for GPUs")
def test_in_float16_the_loss_is_nearly_the_same(
    tmp_path: Path, crops: list[Crop], monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = loss_of(tmp_path, crops, "bfloat16")
    monkeypatch.setattr(forward, "has_fast_bfloat16", lambda _device: False)
    assert loss_of(tmp_path, crops, "float16") == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "mnasnet0_5"])
def test_the_statistics_of_a_network_follow_within_a_few_steps(tmp_path: Path, name: str) -> None:
    crops = written(tmp_path, listed(species=2, places=2, each=1))
    model = network(replace(SMALL, backbone=name))
    Trainer(corpus(tmp_path, crops, seed=0), SMALL, model, tmp_path, inputs="", workers=0)
    first = next(module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d))
    first.cpu().train()
    far = torch.full((4, first.num_features, 8, 8), 100.0)
    for _ in range(20):
        first(far)
    assert first.running_mean is not None
    assert first.running_mean.min() > 80
