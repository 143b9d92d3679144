"""Crop files to vectors: in order, by threads, decoded no larger than needed."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import cpu_count
from numpy.typing import NDArray
from PIL import Image

from pipeline.embedders.checkpoint import CheckpointEmbedder, save
from pipeline.embedders.descriptor import DescriptorEmbedder
from pipeline.embedders.embedder import TwoStepEmbedder
from pipeline.embedders.network import backbone
from pipeline.embedders.preprocessing import SPARE, Preprocessing
from pipeline.images import Photo
from pipeline.steps.embedding import crop_vectors as module
from pipeline.steps.embedding.crop_vectors import crop_vectors, prepared_crop


class FirstColour(TwoStepEmbedder):
    """The colour of the first pixel; remembers how large the images were."""

    id = "first_colour"
    dimension = 3
    manifest = {"kind": "test", "spec": "descriptor"}  # noqa: RUF012
    side = 16

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        self.sizes.append(image.size)
        pixel: NDArray[np.uint8] = np.asarray(image)[0, 0]
        return pixel

    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return np.array(rows, np.float32).reshape(-1, 3)


def picture(seed: int, side: int = 448) -> Image.Image:
    """Large and small shapes with grain, as a photograph has them."""
    rng = np.random.default_rng(seed)
    layers = np.zeros((side, side, 3), np.float32)
    for cells, strength in ((4, 0.5), (16, 0.3), (64, 0.15)):
        cover = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8))
        layers += strength * np.asarray(cover.resize((side, side), Image.Resampling.BICUBIC), np.float32)
    return Image.fromarray(np.clip(layers + rng.normal(0, 5, layers.shape), 0, 255).astype(np.uint8))


def stored(folder: Path, images: Sequence[Image.Image]) -> list[tuple[int, Path]]:
    files = []
    for number, image in enumerate(images):
        path = folder / f"{number}.jpg"
        image.save(path, quality=90)
        files.append((number, path))
    return files


def test_vectors_come_in_the_order_of_the_files_with_the_broken_ones_named(tmp_path: Path) -> None:
    files = stored(tmp_path, [Image.new("RGB", (20, 20), (shade, 0, 0)) for shade in range(0, 250, 10)])
    files[3][1].unlink()
    files[4][1].write_bytes(files[5][1].read_bytes()[:200])
    batches = list(crop_vectors(FirstColour(), files, batch_size=4))
    assert [batch.crops for batch in batches] == [4] * 6 + [1]
    assert [key for batch in batches for key in batch.keys] == [0, 1, 2, *range(5, 25)]
    broken = {key: error.failure for batch in batches for key, error in batch.broken}
    assert list(broken) == [3, 4]
    assert broken[3] == "missing"
    reds = np.concatenate([batch.vectors for batch in batches])[:, 0]
    np.testing.assert_allclose(reds, [0, 10, 20, *range(50, 250, 10)], atol=4)


def test_no_files_give_nothing() -> None:
    assert not list(crop_vectors(FirstColour(), []))


def test_files_are_read_only_a_little_ahead(tmp_path: Path) -> None:
    file = stored(tmp_path, [Image.new("RGB", (20, 20))])[0][1]
    taken = 0

    def endless() -> Iterator[tuple[int, Path]]:
        nonlocal taken
        while True:
            taken += 1
            yield taken, file

    batches = crop_vectors(FirstColour(), endless(), batch_size=2)
    next(batches)
    assert taken <= 2 * 2 + max(module.LOOKAHEAD * 2, module.DECODERS, cpu_count()) + 1
    assert isinstance(batches, Generator)
    batches.close()


@pytest.mark.parametrize(
    ("needed", "decoded"), [(224, 448), (225, 448), (113, 448), (112, 224), (64, 224), (50, 112)]
)
def test_a_jpeg_is_decoded_no_smaller_than_twice_what_is_needed(
    tmp_path: Path, needed: int, decoded: int
) -> None:
    embedder = FirstColour()
    embedder.side = needed
    prepared_crop(embedder, stored(tmp_path, [picture(0)])[0][1])
    assert embedder.sizes == [(decoded, decoded)]


@pytest.mark.parametrize("kind", ["descriptor", "network"])
def test_a_crop_decoded_smaller_gives_nearly_the_same_vector(tmp_path: Path, kind: str) -> None:
    embedder = DescriptorEmbedder() if kind == "descriptor" else network(tmp_path)
    images = [picture(seed) for seed in range(12)]
    files = stored(tmp_path, images)
    assert 2 * SPARE * embedder.side <= 448  # decoded at half the size, or less
    whole = embedder.embed([Photo(path.read_bytes()).pixels() for _, path in files])
    (batch,) = crop_vectors(embedder, files)
    lengths = np.linalg.norm(whole, axis=1) * np.linalg.norm(batch.vectors, axis=1)
    cosines = (whole * batch.vectors).sum(axis=1) / lengths
    assert not np.array_equal(whole, batch.vectors)
    assert cosines.min() > 0.99


def network(folder: Path) -> CheckpointEmbedder:
    torch.manual_seed(0)
    preprocessing = Preprocessing(resize=64, crop=64, mean=(0.5,) * 3, std=(0.2,) * 3)
    model = backbone("squeezenet1_1", 64)
    save(folder / "network", name="squeezenet1_1", model=model, preprocessing=preprocessing)
    return CheckpointEmbedder(folder / "network")


def test_a_picture_that_is_no_jpeg_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    encoded = io.BytesIO()
    picture(1).save(encoded, "PNG")
    file.write_bytes(encoded.getvalue())
    embedder = FirstColour()
    prepared_crop(embedder, file)
    assert embedder.sizes == [(448, 448)]
