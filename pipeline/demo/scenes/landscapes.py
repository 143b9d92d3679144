"""The unchanging view of one camera: sky, trees, ground and undergrowth, by day and in the flash."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from pipeline.demo.scenes.habitats import CAMERA_HEIGHT, Habitat, leaves, plant, rgb
from pipeline.demo.scenes.species import Colour

Pixels = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """One camera's view. Pixels are 0 to 255; the strip with the camera's text is not included."""

    habitat: Habitat
    day: Pixels  # (H, W, 3)
    night: Pixels  # (H, W): reflected infrared flash
    standing: Pixels  # (H, W): pixel row of the foot of the trunk, bush or stone at this pixel; 0: none
    front: Pixels  # (H, W): how much of an animal the grass in front hides, 0 to 1
    dapple: Pixels  # (H, W): brightness of sunlight through leaves, around 1
    flash: Pixels  # (H, W): brightness of the flash, 0 to 1
    vignette: Pixels  # (H, W): brightness, less towards the corners
    horizon: float  # pixels from the top
    clutter: tuple[tuple[int, int, int, int], ...]  # bushes, stumps and stones: x1, y1, x2, y2

    def pixels_per_metre(self, foot_y: float) -> float:
        """The scale at the ground in pixel row `foot_y`."""
        return (foot_y - self.horizon) / CAMERA_HEIGHT


def paint(habitat: Habitat, size: tuple[int, int], seed: int) -> Landscape:
    """The view of a camera in `habitat`; `size` is width and height in pixels."""
    rng = np.random.default_rng([seed, size[0], size[1]])
    width, height = size
    horizon = height * (habitat.horizon + rng.uniform(-0.025, 0.025))
    canvas = Image.fromarray(_sky_and_ground(habitat, size, horizon, rng).astype(np.uint8))
    pen = ImageDraw.Draw(canvas)
    _tree_line(pen, habitat, size, horizon, rng)
    if habitat.track is not None:
        _track(pen, habitat.track, size, horizon, rng)
        canvas = canvas.filter(ImageFilter.GaussianBlur(3))
        pen = ImageDraw.Draw(canvas)
    canvas = _grain(canvas, horizon, rng)
    pen = ImageDraw.Draw(canvas)
    standing = Image.new("F", size)
    clutter = plant(pen, ImageDraw.Draw(standing), habitat, size, horizon, rng)
    if habitat.canopy:
        leaves(
            pen, (width * 0.5, -height * 0.05), (width * 0.62, height * 0.16), habitat.plants, 1500, 9, rng
        )

    day = np.asarray(canvas.filter(ImageFilter.GaussianBlur(0.7)), np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = np.hypot((x - width / 2) / width, (y - height / 2) / height)
    distance = np.clip((y - horizon) / (height - horizon), 0.02, 1)  # 1 at the camera's feet
    flash = np.clip(1.3 - 1.1 * radius, 0.15, 1) * np.clip(0.34 + 1.35 * distance, 0, 1)
    green = np.clip((day[..., 1] - day[..., 2]) / 60, 0, 1)  # leaves are bright in the infrared
    grey = day @ np.asarray((0.35, 0.5, 0.15), np.float32)
    above = np.clip((horizon - y) / (height * 0.1), 0, 1)  # the sky does not reflect the flash
    sky_like = np.clip((grey - 165) / 40, 0, 1) * above
    night = (grey * 0.64 + 60 * green + 14) * flash * (1 - 0.93 * sky_like)
    return Landscape(
        habitat=habitat,
        day=day,
        night=night.astype(np.float32),
        standing=np.asarray(standing, np.float32),
        front=_front_grass(habitat, size, horizon, rng),
        dapple=_dapple(size, horizon, rng, 0.3 if habitat.canopy else 0.08),
        flash=flash.astype(np.float32),
        vignette=np.clip(1.12 - 0.75 * radius**2, 0, 1).astype(np.float32),
        horizon=horizon,
        clutter=tuple(clutter),
    )


def fractal(size: tuple[int, int], rng: np.random.Generator, cells: int, octaves: int = 5) -> Pixels:
    """Noise of unit standard deviation; its coarsest waves are 1 / `cells` of the width. Size is (W, H)."""
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(octaves):
        columns = cells * 2**octave
        rows = max(2, columns * size[1] // size[0])
        grid = Image.fromarray(rng.normal(0, 0.62**octave, (rows, columns)).astype(np.float32))
        total += np.asarray(grid.resize(size, Image.Resampling.BICUBIC))
    return total / max(float(total.std()), 1e-6)


def _sky_and_ground(
    habitat: Habitat, size: tuple[int, int], horizon: float, rng: np.random.Generator
) -> Pixels:
    height = size[1]
    rows = np.arange(height, dtype=np.float32)[:, None]
    far_sky, near_sky = (np.asarray(colour, np.float32) for colour in habitat.sky)
    far, near = (np.asarray(colour, np.float32) for colour in habitat.ground)
    up = np.clip(rows / horizon, 0, 1)[..., None]
    down = np.clip((rows - horizon) / (height - horizon), 0, 1)[..., None]
    sky = far_sky + up * (near_sky - far_sky) + 5 * fractal(size, rng, 3)[..., None]
    ground = far + down * (near - far) + 11 * fractal(size, rng, 5)[..., None]
    return np.clip(np.where(rows[..., None] < horizon, sky, ground), 0, 255).astype(np.float32)


def _tree_line(
    pen: ImageDraw.ImageDraw,
    habitat: Habitat,
    size: tuple[int, int],
    horizon: float,
    rng: np.random.Generator,
) -> None:
    """Draw three ridges of trees, the nearest darkest."""
    width = size[0]
    haze = np.asarray(habitat.sky[1], np.float32)
    leaf = np.asarray(habitat.plants[-1], np.float32)
    for depth, rise in ((0.62, 0.34), (0.4, 0.24), (0.18, 0.14)):
        rise *= 1.9 if habitat.trunks > 8 else 0.8
        profile = fractal((width, 8), rng, 9, 6)[4]
        tops = horizon - size[1] * rise * (0.5 + 0.16 * profile)
        outline = [(0.0, horizon + 6), *enumerate(tops.tolist()), (float(width), horizon + 6)]
        pen.polygon(outline, fill=rgb(haze * depth + leaf * (1 - depth)))
        for _ in range(700):
            x = rng.integers(0, width)
            y = rng.uniform(tops[x], horizon)
            radius = rng.uniform(3, 11)
            shade = haze * depth + leaf * (1 - depth) * rng.uniform(0.72, 1.22)
            pen.ellipse((x - radius, y - radius * 0.7, x + radius, y + radius * 0.7), fill=rgb(shade))


def _track(
    pen: ImageDraw.ImageDraw, colour: Colour, size: tuple[int, int], horizon: float, rng: np.random.Generator
) -> None:
    bend = rng.uniform(0.3, 0.7)
    start, end = size[0] * rng.uniform(0.1, 0.4), size[0] * rng.uniform(0.5, 0.8)
    left, right = [], []
    for t in np.linspace(0, 1, 24):
        centre = size[0] * bend * (1 - t) ** 2 + (start + (end - start) * 0.6) * (1 - (1 - t) ** 2)
        half = 12 + 300 * t**1.4
        y = horizon + (size[1] + 10 - horizon) * t
        left.append((centre - half, y))
        right.append((centre + half, y))
    pen.polygon(left + right[::-1], fill=colour)


def _grain(canvas: Image.Image, horizon: float, rng: np.random.Generator) -> Image.Image:
    """The picture with litter and soil, whose grains grow towards the camera."""
    width, height = canvas.size
    pixels = np.asarray(canvas, np.float32).copy()
    depth = height - int(horizon)
    fine = rng.normal(0, 1, (depth * 2, width)).astype(np.float32)
    rows = (depth * 2 * np.linspace(0, 1, depth) ** 0.45).astype(int).clip(0, depth * 2 - 1)
    blurred = Image.fromarray(fine[rows]).resize((width // 2, depth // 2), Image.Resampling.BOX)
    coarse = np.asarray(blurred.resize((width, depth), Image.Resampling.BICUBIC))
    nearness = np.linspace(0.35, 1, depth, dtype=np.float32)[:, None]
    pixels[int(horizon) :] += (nearness * (15 * coarse + 7 * fine[rows]))[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _front_grass(habitat: Habitat, size: tuple[int, int], horizon: float, rng: np.random.Generator) -> Pixels:
    """Where blades stand close before an animal's feet."""
    mask = Image.new("L", size)
    pen = ImageDraw.Draw(mask)
    for near in np.sort(rng.uniform(0.05, 1, 700 + habitat.grass)):
        y = horizon + (size[1] - horizon) * float(near)
        x, tall = rng.uniform(0, size[0]), (y - horizon) * rng.uniform(0.05, 0.17)
        pen.line((x, y, x + rng.normal(0, tall * 0.3), y - tall), fill=215, width=max(1, int(near * 3)))
    return np.asarray(mask.filter(ImageFilter.GaussianBlur(0.8)), np.float32) / np.float32(255)


def _dapple(size: tuple[int, int], horizon: float, rng: np.random.Generator, depth: float) -> Pixels:
    """Light and shade that can be rolled sideways as the sun moves: the left and right edges match."""
    field = np.tanh(1.6 * fractal((size[0] // 2, size[1]), rng, 4, 4))
    below = np.clip((np.arange(size[1]) - horizon * 0.75) / (horizon * 0.4), 0.1, 1)[:, None]
    seamless = np.concatenate([field, field[:, ::-1]], axis=1)
    light: Pixels = (1 + depth * below * seamless).astype(np.float32)
    return light
