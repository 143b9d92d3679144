"""timm's networks, with weights made on the spot and saved as the Hugging Face hub has them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from pipeline.embedders import load, reload
from pipeline.embedders.spec import timm_target
from pipeline.errors import EmbedderError

timm: Any = pytest.importorskip("timm", reason="an optional extra; uv pip install '.[timm]'")

CLASSES = 7


def photographs() -> list[Image.Image]:
    """Noise on a slope of colour, wide and high."""
    rng = np.random.default_rng(3)
    made = []
    for height, width in ((150, 230), (260, 170), (160, 160)):
        slope = np.linspace(0, 200, width, dtype=np.float32)[None, :, None] * rng.random(3, np.float32)
        noise = rng.integers(0, 56, (height, width, 3)).astype(np.float32)
        made.append(Image.fromarray((slope + noise).astype(np.uint8)))
    return made


def network(name: str = "test_resnet", *, seed: int = 0, classes: int = CLASSES) -> Any:
    torch.manual_seed(seed)
    return timm.create_model(name, pretrained=False, num_classes=classes).eval()


def saved(folder: Path, model: Any, *, weights: str = "model.safetensors", **config: Any) -> Path:
    """`model` as timm saves for the hub; `config` overrides its preprocessing."""
    from timm.models import save_for_hf

    save_for_hf(model, folder, safe_serialization="both")
    for name in {"model.safetensors", "pytorch_model.bin"} - {weights}:
        (folder / name).unlink()
    change(folder, **config)
    return folder


def change(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["pretrained_cfg"] |= values
    path.write_text(json.dumps(config))


def reference(folder: Path) -> NDArray[np.float32]:
    """What timm's own transform and network make of the photographs."""
    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    with torch.inference_mode():
        rows: NDArray[np.float32] = model(torch.stack([transform(i) for i in photographs()])).numpy()
    return rows


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    found: NDArray[np.float32] = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return found


@pytest.mark.parametrize(
    ("name", "weights", "config"),
    [
        ("test_resnet", "model.safetensors", {}),
        ("test_vit", "pytorch_model.bin", {"crop_pct": 0.8, "interpolation": "bicubic"}),
        ("test_convnext", "model.safetensors", {"crop_mode": "squash", "mean": [0.3, 0.4, 0.5]}),
    ],
)
def test_a_folder_of_the_hub_gives_what_timm_itself_gives(
    tmp_path: Path, name: str, weights: str, config: dict[str, Any]
) -> None:
    folder = saved(tmp_path / "a", network(name), weights=weights, **config)
    embedder = load(f"timm:{name}:{folder}", data_dir=tmp_path)
    vectors, expected = embedder.embed(photographs()), reference(folder)
    assert vectors.dtype == np.float32
    assert vectors.shape == expected.shape == (3, embedder.dimension)
    assert cosines(vectors, expected).min() > 0.999
    assert embedder.embed([]).shape == (0, embedder.dimension)
    assert embedder.id.startswith(f"{name}-")
    assert json.loads(json.dumps(embedder.manifest)) == embedder.manifest
    assert reload(embedder.id, embedder.manifest, data_dir=tmp_path).id == embedder.id


def test_a_name_of_the_hub_may_stand_before_a_folder_fetched_elsewhere(tmp_path: Path) -> None:
    folder = saved(tmp_path / "a", network())
    embedder = load(f"timm:hf-hub:Owner/Deer-T-224:{folder}", data_dir=tmp_path)
    assert embedder.id.startswith("owner_deer_t_224-")
    assert embedder.manifest["backbone"] == "test_resnet"


@pytest.mark.parametrize("classes", [CLASSES, 1000, 0])
@pytest.mark.parametrize("name", ["test_resnet", "test_vit.r160_in1k"])
def test_a_file_gives_the_features_of_its_network_whatever_its_classes(
    tmp_path: Path, name: str, classes: int
) -> None:
    folder = saved(tmp_path / "a", network(name, classes=classes))
    embedder = load(f"timm:{name}:{folder / 'model.safetensors'}", data_dir=tmp_path)
    assert cosines(embedder.embed(photographs()), reference(folder)).min() > 0.999


def test_the_id_follows_from_weights_and_preprocessing(tmp_path: Path) -> None:
    folders = [
        saved(tmp_path / "a", network()),
        saved(tmp_path / "b", network(), crop_pct=0.8),
        saved(tmp_path / "c", network(), crop_mode="squash"),
        saved(tmp_path / "d", network(seed=1)),
        saved(tmp_path / "e", network(), weights="pytorch_model.bin"),
    ]
    ids = [load(f"timm:test_resnet:{folder}", data_dir=tmp_path).id for folder in folders]
    assert len(set(ids[:4])) == 4
    assert ids[4] == ids[0]


@pytest.mark.parametrize("name", ["test_resnet", "dla46_c"])  # timm loads the second leniently
def test_weights_that_lack_a_layer_are_refused_never_filled_at_random(tmp_path: Path, name: str) -> None:
    folder = saved(tmp_path / "a", network(name))
    file = folder / "model.safetensors"
    state = load_file(file)
    convolution = next(key for key, value in state.items() if value.ndim == 4)
    save_file({key: value for key, value in state.items() if key != convolution}, file)
    for checkpoint in (folder, file):
        with pytest.raises(EmbedderError, match=r"lacks weights|Missing key") as caught:
            load(f"timm:{name}:{checkpoint}", data_dir=tmp_path)
        assert caught.value.remedy


def test_a_checkpoint_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    folder = saved(tmp_path / "a", network())
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.safetensors").write_bytes(b"half a file")
    for target, says in {
        f"test_vit:{folder}": "describes test_resnet, not test_vit",
        f"test_vit:{folder / 'model.safetensors'}": "cannot be loaded",
        f"hf-hub:a/b:{folder / 'model.safetensors'}": "does not describe the network",
        f"test_vit:{tmp_path / 'empty'}": r"config\.json cannot be read",
        f"test_vit:{tmp_path / 'gone'}": "does not exist",
        f"test_vit:{tmp_path / 'bad.safetensors'}": "contains no readable weights",
    }.items():
        with pytest.raises(EmbedderError, match=says) as caught:
            load(f"timm:{target}", data_dir=tmp_path)
        assert caught.value.remedy
    change(folder, crop_mode="border")
    with pytest.raises(EmbedderError, match="expects images that are not supported"):
        load(f"timm:test_resnet:{folder}", data_dir=tmp_path)


def test_a_pickle_is_refused_before_it_can_run_anything(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "it ran",))

    folder = saved(tmp_path / "a", network(), weights="pytorch_model.bin")
    torch.save({"conv1.0.weight": Evil()}, folder / "pytorch_model.bin")
    for checkpoint in (folder, folder / "pytorch_model.bin"):
        with pytest.raises(EmbedderError):
            load(f"timm:test_resnet:{checkpoint}", data_dir=tmp_path)
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize(
    ("target", "name", "checkpoint"),
    [
        ("resnet18", "resnet18", None),
        ("resnet18.a1_in1k:/a:b/c.pth", "resnet18.a1_in1k", "/a:b/c.pth"),
        ("hf-hub:BVRA/MegaDescriptor-T-224", "hf-hub:BVRA/MegaDescriptor-T-224", None),
        ("hf-hub:a/b@main:folder", "hf-hub:a/b@main", "folder"),
    ],
)
def test_the_colon_of_hf_hub_belongs_to_the_name(target: str, name: str, checkpoint: str | None) -> None:
    read = timm_target(target)
    assert (read.name, read.checkpoint) == (name, checkpoint)


@pytest.mark.parametrize("target", ["hf-hub:", "hf-hub:resnet18", "BVRA/Mega", "resnet18:", ":a", "/a/b.pth"])
def test_a_target_that_makes_no_sense_is_told_what_would(target: str, tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="hf-hub:OWNER/NAME with the colon after hf-hub"):
        load(f"timm:{target}", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("test_resnett", "did you mean test_resnet"),
        ("test_resnet.of_mine", r"one of: test_resnet\.r160_in1k"),
    ],
)
def test_an_unknown_name_is_refused_without_a_download(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(EmbedderError, match=says):
        load(f"timm:{name}", data_dir=tmp_path)


def test_a_network_without_published_weights_asks_for_yours(tmp_path: Path) -> None:
    trained = {name.partition(".")[0] for name in timm.list_models(pretrained=True)}
    name = next(name for name in timm.list_models() if name not in trained)
    with pytest.raises(EmbedderError, match=f"give yours: timm:{name}:CHECKPOINT"):
        load(f"timm:{name}", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["hf-hub:BVRA/MegaDescriptor-T-224", "test_resnet", "test_vit.r160_in1k"])
def test_an_unreachable_hub_is_an_error_never_random_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(EmbedderError, match="cannot be downloaded") as caught:
        load(f"timm:{name}", data_dir=tmp_path)
    assert "timm:NAME:CHECKPOINT" in str(caught.value.remedy)


def test_a_name_that_the_hub_lacks_is_told_apart_from_a_hub_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class RepositoryNotFoundError(OSError):
        """As the hub's client names it; the real one wants a response."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise RepositoryNotFoundError("404")

    monkeypatch.setattr("timm.models._hub.hf_hub_download", refuse)
    with pytest.raises(EmbedderError, match="the hub has no hf-hub:a/b"):
        load("timm:hf-hub:a/b", data_dir=tmp_path)


def test_without_the_package_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(EmbedderError, match=r"uv pip install '\.\[timm\]'"):
        load("timm:resnet18", data_dir=tmp_path)


def test_timm_is_not_imported_for_help_or_another_embedder(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from click.testing import CliRunner;"
        "from pipeline.cli import wildloop; from pipeline.embedders import load;"
        "assert CliRunner().invoke(wildloop, ['embed', '--help']).exit_code == 0;"
        f"load('descriptor', data_dir=Path({str(tmp_path)!r})); import pipeline.embedders.torchvision;"
        "assert not {'timm', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
