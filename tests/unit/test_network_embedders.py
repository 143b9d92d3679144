"""torchvision backbones and checkpoint folders, with weights made on the spot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision import models

from pipeline.embedders import load, network
from pipeline.embedders.checkpoint import CheckpointEmbedder, save
from pipeline.embedders.graph import TRIED, Graph
from pipeline.embedders.network import WORTH_EXPORTING, backbone, behead
from pipeline.embedders.preprocessing import Preprocessing
from pipeline.embedders.torchvision import TorchvisionEmbedder
from pipeline.errors import EmbedderError

SMALL = "squeezenet1_1"  # 1.2 million weights
PREPROCESSING = Preprocessing(resize=72, crop=64, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2))


def photographs(count: int = 3) -> list[Image.Image]:
    rng = np.random.default_rng(7)
    return [Image.fromarray(rng.integers(0, 256, (90, 120, 3), np.uint8)) for _ in range(count)]


def random_model(seed: int = 0, name: str = SMALL) -> torch.nn.Module:
    torch.manual_seed(seed)
    return backbone(name, PREPROCESSING.crop)


def reference(model: torch.nn.Module) -> NDArray[np.float32]:
    """What torchvision's own preset and the beheaded model make of the photographs."""
    from torchvision.transforms._presets import ImageClassification

    preset = ImageClassification(crop_size=64, resize_size=72, mean=PREPROCESSING.mean, std=PREPROCESSING.std)
    behead(model)
    with torch.inference_mode():
        rows: NDArray[np.float32] = (
            model.eval()(torch.stack([preset(i) for i in photographs()])).flatten(1).numpy()
        )
    return rows


@pytest.mark.parametrize("resize_then_crop", [(72, 64), (64, 64), (50, 64)])
@pytest.mark.parametrize("size", [(120, 90), (90, 121), (64, 64), (700, 31)])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_crops_are_cut_as_torchvision_does(
    resize_then_crop: tuple[int, int], size: tuple[int, int], interpolation: str
) -> None:
    from torchvision.transforms import functional

    resize, crop = resize_then_crop
    image = photographs(1)[0].resize(size)
    preprocessing = Preprocessing(
        resize=resize, crop=crop, mean=(0.0,) * 3, std=(1.0,) * 3, interpolation=interpolation
    )
    mode = functional.InterpolationMode(interpolation)
    theirs = np.asarray(functional.center_crop(functional.resize(image, [resize], mode), [crop]))
    difference = np.abs(preprocessing.pixels([image])[0].astype(int) - theirs)
    assert difference.max() <= 2  # of 255: torch and Pillow round at different steps
    assert difference.mean() < 0.1


@pytest.mark.parametrize(
    ("name", "dimension"),
    [("squeezenet1_1", 512), ("resnet18", 512), ("mobilenet_v3_small", 1024), ("shufflenet_v2_x0_5", 1024)],
)
def test_a_backbone_without_its_head_gives_pooled_features(name: str, dimension: int) -> None:
    model = random_model(name=name)
    assert behead(model)[0] == dimension
    assert model.eval()(torch.zeros(2, 3, 64, 64)).flatten(1).shape == (2, dimension)


def test_a_vision_transformer_takes_the_size_that_its_weights_were_made_for() -> None:
    model = backbone("vit_b_32", 64)
    dimension, _ = behead(model)
    assert model.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, dimension)


def test_a_checkpoint_gives_the_features_of_the_model_that_was_saved(tmp_path: Path) -> None:
    save(tmp_path / "Red deer 2", name=SMALL, model=random_model(), preprocessing=PREPROCESSING)
    embedder = load(f"checkpoint:{tmp_path / 'Red deer 2'}", data_dir=tmp_path)
    assert embedder.id.startswith("red_deer_2-")
    vectors = embedder.embed(photographs())
    assert vectors.dtype == np.float32
    # bfloat16, where the machine has it, keeps 8 bits of each number
    np.testing.assert_allclose(vectors, reference(random_model()), rtol=0.05, atol=0.02)
    assert embedder.embed([]).shape == (0, embedder.dimension)


def test_bfloat16_changes_the_features_by_next_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, name=SMALL, model=random_model(), preprocessing=PREPROCESSING)
    vectors = []
    for bfloat16 in (False, True):
        monkeypatch.setattr(network, "has_fast_bfloat16", lambda _device, answer=bfloat16: answer)
        vectors.append(CheckpointEmbedder(tmp_path).embed(photographs()))
    exact, rounded = vectors
    assert not np.array_equal(exact, rounded)
    assert rounded.dtype == np.float32
    cosines = (exact * rounded).sum(axis=1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rounded, axis=1)
    assert cosines.min() > 0.999


def test_a_checkpoint_saved_without_its_head_is_the_same_embedder_but_for_its_id(tmp_path: Path) -> None:
    headless = random_model()
    behead(headless)
    save(tmp_path / "a", name=SMALL, model=random_model(), preprocessing=PREPROCESSING)
    save(tmp_path / "b", name=SMALL, model=headless, preprocessing=PREPROCESSING)
    whole, body = CheckpointEmbedder(tmp_path / "a"), CheckpointEmbedder(tmp_path / "b")
    np.testing.assert_array_equal(whole.embed(photographs()), body.embed(photographs()))


def test_a_state_dict_of_torch_is_read_too(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    save(folder, name=SMALL, model=random_model(), preprocessing=PREPROCESSING)
    expected = CheckpointEmbedder(folder).embed(photographs())
    torch.save(random_model().state_dict(), folder / "weights.pt")
    change(folder, weights="weights.pt")
    np.testing.assert_array_equal(CheckpointEmbedder(folder).embed(photographs()), expected)


def test_the_id_changes_with_the_weights_and_with_the_preprocessing(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    ids = []
    for seed, preprocessing in (
        (0, PREPROCESSING),
        (1, PREPROCESSING),
        (0, Preprocessing(resize=73, crop=64, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2))),
        (0, PREPROCESSING),
    ):
        save(folder, name=SMALL, model=random_model(seed), preprocessing=preprocessing)
        ids.append(CheckpointEmbedder(folder).id)
    assert len(set(ids[:3])) == 3
    assert ids[3] == ids[0]


def change(folder: Path, **values: object) -> None:
    """Write other values into a checkpoint's manifest."""
    path = folder / "embedder.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"backbone": "resnet19"}, "no classification backbone 'resnet19'"),
        ({"backbone": "mobilenet_v3_small"}, "says dimension 512, mobilenet_v3_small gives 1024"),
        ({"backbone": "resnet18"}, "does not fit its backbone"),
        ({"backbone": 3}, "lacks 'backbone'"),
        ({"weights": "gone.safetensors"}, "gone.safetensors does not exist"),
        ({"weights": "../weights.safetensors"}, "must lie in the same folder"),
        ({"weights": "embedder.json"}, "contains no readable weights"),
        ({"preprocessing": {"resize": 72}}, "lacks or misspells 'crop'"),
        ({"preprocessing": PREPROCESSING.manifest() | {"std": [0, 1, 1]}}, "cannot be carried out"),
    ],
)
def test_a_checkpoint_that_cannot_be_used_says_why(
    tmp_path: Path, values: dict[str, object], says: str
) -> None:
    save(tmp_path, name=SMALL, model=random_model(), preprocessing=PREPROCESSING)
    change(tmp_path, **values)
    with pytest.raises(EmbedderError, match=says):
        CheckpointEmbedder(tmp_path)


def test_a_pickle_is_refused_before_it_can_run_anything(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "it ran",))

    save(tmp_path, name=SMALL, model=random_model(), preprocessing=PREPROCESSING)
    torch.save({"features.0.weight": Evil()}, tmp_path / "evil.pt")
    change(tmp_path, weights="evil.pt")
    with pytest.raises(EmbedderError, match="contains no readable weights"):
        CheckpointEmbedder(tmp_path)
    assert not (tmp_path / "it ran").exists()


def test_a_folder_without_a_manifest_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match=r"embedder\.json cannot be read"):
        load(f"checkpoint:{tmp_path}", data_dir=tmp_path)


@pytest.fixture
def cached_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of the name that torchvision publishes, where a download would have put them."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    weights = models.get_model_weights(SMALL)["DEFAULT"]
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    torch.save(random_model().state_dict(), folder / Path(weights.url).name)
    return tmp_path / "cache"


def test_published_weights_in_the_cache_are_used_without_a_network(cached_weights: Path) -> None:
    embedder = TorchvisionEmbedder(SMALL, cache_dir=cached_weights)
    vectors = embedder.embed(photographs())
    assert vectors.shape == (3, 512)
    assert (vectors >= 0).all()
    assert embedder.id.startswith("squeezenet1_1-")
    assert embedder.manifest["preprocessing"]["crop"] == 224
    again = load(embedder.manifest["spec"], data_dir=cached_weights.parent)
    assert again.id == embedder.id


def test_many_images_come_back_in_their_order(cached_weights: Path) -> None:
    embedder = TorchvisionEmbedder(SMALL, cache_dir=cached_weights)
    shades = [Image.new("RGB", (32, 32), (shade, shade, shade)) for shade in range(0, 255, 3)]
    together = embedder.embed(shades)
    assert len(together) == len(shades) > 64
    np.testing.assert_allclose(together[70], embedder.embed([shades[70]])[0], rtol=0.02, atol=1e-3)


def test_a_checkpoints_manifest_names_the_content_of_its_weights(tmp_path: Path) -> None:
    save(tmp_path, name=SMALL, model=random_model(), preprocessing=PREPROCESSING)
    content = hashlib.sha256((tmp_path / "weights.safetensors").read_bytes()).hexdigest()
    assert CheckpointEmbedder(tmp_path).manifest["weights"] == content


def rows(count: int = WORTH_EXPORTING) -> list[NDArray[np.uint8]]:
    return list(np.random.default_rng(5).integers(0, 256, (count, 64, 64, 3), np.uint8))


@pytest.fixture
def on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """One without bfloat16, where networks are exported."""
    monkeypatch.setattr(network, "torch_device", lambda: torch.device("cpu"))
    monkeypatch.setattr(network, "has_fast_bfloat16", lambda _device: False)


@pytest.mark.usefixtures("on_a_cpu")
@pytest.mark.parametrize("name", [SMALL, "resnet18", "mobilenet_v3_small"])
def test_many_crops_are_embedded_by_an_exported_graph_with_the_same_vectors(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    runs: list[int] = []
    run = Graph.run

    def counted(graph: Graph, some: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        runs.append(len(some))
        return run(graph, some)

    monkeypatch.setattr(Graph, "run", counted)
    model = random_model(name=name)
    behead(model)
    made = network.Network(model, PREPROCESSING)
    few = made.embed_prepared(rows()[:5])
    assert not runs
    for _ in range(2):
        many = made.embed_prepared(rows())
        np.testing.assert_allclose(many[:5], few, rtol=1e-3, atol=1e-4 * np.abs(few).max())
    assert runs == [TRIED, WORTH_EXPORTING, WORTH_EXPORTING]
    assert not any(module.training for module in model.modules())


@pytest.mark.usefixtures("on_a_cpu")
def test_what_cannot_be_exported_or_comes_out_wrong_is_left_to_torch() -> None:
    class Fickle(torch.nn.Module):
        """A tracer sees the branch of two images only."""

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=(2, 3)) * (1 if len(images) == 2 else 2)

    class Untraceable(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(np.linalg.norm(images.numpy(), axis=(2, 3)))

    for model in (Fickle(), Untraceable()):
        made = network.Network(model, PREPROCESSING)
        few = made.embed_prepared(rows()[:5])
        np.testing.assert_allclose(made.embed_prepared(rows())[:5], few, rtol=1e-3)


@pytest.mark.usefixtures("on_a_cpu")
def test_a_network_in_training_is_not_exported() -> None:
    model = random_model(name="resnet18")
    behead(model)
    made = network.Network(model, PREPROCESSING)
    before = made.embed_prepared(rows(4))
    model.train()
    made.embed_prepared(rows())
    model.eval()
    assert not np.allclose(made.embed_prepared(rows())[:4], before, rtol=0.01)  # other statistics by now
