"""The weight-free descriptor: what it must tell apart, and what it must not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.embedders.descriptor import DescriptorEmbedder

GREEN, BROWN, GREY = (90, 120, 60), (120, 80, 40), (120, 120, 120)


@pytest.fixture(scope="module")
def descriptor() -> DescriptorEmbedder:
    return DescriptorEmbedder()


def animal(
    shape: str,
    colour: tuple[int, int, int],
    *,
    seed: int = 0,
    side: int = 160,
    ground: tuple[int, ...] = GREEN,
) -> Image.Image:
    """A drawn animal, a little elsewhere and a little larger or smaller for each seed."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 12, (160, 160, 1))
    image = Image.fromarray(np.clip(np.array(ground) + noise, 0, 255).astype(np.uint8))
    x, y = 80 + rng.integers(-8, 9, 2)
    long, short = rng.integers(45, 55), rng.integers(20, 26)
    draw = ImageDraw.Draw(image)
    if shape == "lying":
        draw.ellipse((x - long, y - short, x + long, y + short), fill=colour)
    elif shape == "standing":
        draw.ellipse((x - short, y - long, x + short, y + long), fill=colour)
    else:
        draw.polygon([(x, y - long), (x - long, y + long), (x + long, y + long)], fill=colour)
    return image.resize((side, side), Image.Resampling.BICUBIC)


def similarity(descriptor: DescriptorEmbedder, one: Image.Image, other: Image.Image) -> float:
    first, second = descriptor.embed([one, other])
    return float(first @ second)


def test_gives_unit_vectors_of_a_few_hundred_numbers(descriptor: DescriptorEmbedder) -> None:
    vectors = descriptor.embed([animal("lying", BROWN), animal("standing", GREY)])
    assert vectors.dtype == np.float32
    assert vectors.shape == (2, descriptor.dimension)
    assert 200 <= descriptor.dimension <= 1000
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_no_images_give_no_rows(descriptor: DescriptorEmbedder) -> None:
    assert descriptor.embed([]).shape == (0, descriptor.dimension)


def test_the_same_image_gives_the_same_vector_alone_or_among_others(descriptor: DescriptorEmbedder) -> None:
    images = [animal("lying", BROWN, seed=seed) for seed in range(70)]
    together = descriptor.embed(images)
    alone = DescriptorEmbedder().embed([images[66]])
    np.testing.assert_array_equal(together[66:67], alone)


@pytest.mark.parametrize("side", [96, 300, 448])
def test_the_size_of_a_crop_hardly_matters(descriptor: DescriptorEmbedder, side: int) -> None:
    same = similarity(descriptor, animal("lying", BROWN), animal("lying", BROWN, side=side))
    other = similarity(descriptor, animal("lying", BROWN), animal("standing", BROWN))
    assert 1 - same < 0.01
    assert 1 - other > 3 * (1 - same)


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "I;16"])
def test_takes_images_of_any_mode(descriptor: DescriptorEmbedder, mode: str) -> None:
    image = Image.new("I;16", (50, 40)) if mode == "I;16" else animal("lying", BROWN).convert(mode)
    assert np.isfinite(descriptor.embed([image])).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 2)])
def test_takes_images_of_any_size(descriptor: DescriptorEmbedder, size: tuple[int, int]) -> None:
    vectors = descriptor.embed([Image.new("RGB", size, BROWN)])
    assert np.isfinite(vectors).all()


def test_tells_coloured_shapes_apart(descriptor: DescriptorEmbedder) -> None:
    kinds = [
        (shape, colour) for shape in ("lying", "standing", "triangle") for colour in (BROWN, (220, 200, 160))
    ]
    assert nearest_agree(descriptor, kinds, GREEN) >= 0.95


def test_tells_grey_shapes_apart_as_at_night(descriptor: DescriptorEmbedder) -> None:
    kinds = [(shape, (light,) * 3) for shape in ("lying", "standing", "triangle") for light in (110, 220)]
    assert nearest_agree(descriptor, kinds, (60, 60, 60)) >= 0.95


def nearest_agree(
    descriptor: DescriptorEmbedder, kinds: list[tuple[str, tuple[int, int, int]]], ground: tuple[int, ...]
) -> float:
    """The share of animals whose most similar other animal is of the same kind."""
    images = [
        animal(shape, colour, seed=100 * number + one, ground=ground)
        for number, (shape, colour) in enumerate(kinds)
        for one in range(8)
    ]
    kind = np.repeat(np.arange(len(kinds)), 8)
    vectors = descriptor.embed(images)
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1)
    return float((kind[alike.argmax(axis=1)] == kind).mean())


def test_its_id_can_be_a_file_name(descriptor: DescriptorEmbedder) -> None:
    assert descriptor.id.replace("-", "").replace("_", "").isalnum()
    assert descriptor.id == descriptor.id.lower()
    assert len(descriptor.id) < 64
    assert descriptor.manifest["spec"] == "descriptor"
