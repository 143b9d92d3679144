"""Habitats, and the trunks, bushes, stones and grass in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

from pipeline.demo.scenes.species import Colour

CAMERA_HEIGHT = 0.75  # metres above the ground


@dataclass(frozen=True, kw_only=True)
class Habitat:
    """The colours and plants of one habitat."""

    name: str
    horizon: float  # fraction of the height
    sky: tuple[Colour, Colour]  # at the top and at the horizon
    ground: tuple[Colour, Colour]  # far and near
    plants: tuple[Colour, ...]  # of grass and leaves
    trunks: int
    bushes: int
    stones: int
    grass: int  # blades
    track: Colour | None = None  # of a path through the picture
    canopy: bool = False  # leaves above the camera


HABITATS: tuple[Habitat, ...] = (
    Habitat(
        name="beech-wood", horizon=0.4, sky=((196, 206, 196), (214, 220, 204)),
        ground=((118, 104, 76), (112, 84, 56)), plants=((92, 104, 52), (70, 88, 44), (120, 112, 60)),
        trunks=17, bushes=5, stones=3, grass=900, canopy=True,
    ),
    Habitat(
        name="meadow-edge", horizon=0.36, sky=((150, 184, 220), (216, 226, 230)),
        ground=((126, 142, 76), (98, 118, 54)), plants=((112, 136, 60), (138, 148, 78), (86, 112, 48)),
        trunks=4, bushes=6, stones=0, grass=9000,
    ),
    Habitat(
        name="forest-track", horizon=0.42, sky=((186, 198, 204), (222, 224, 216)),
        ground=((104, 108, 64), (88, 94, 50)), plants=((76, 100, 46), (98, 112, 56), (60, 84, 40)),
        trunks=13, bushes=7, stones=4, grass=3800, track=(146, 124, 96), canopy=True,
    ),
    Habitat(
        name="dry-scrub", horizon=0.34, sky=((140, 178, 222), (226, 220, 204)),
        ground=((184, 158, 114), (170, 136, 92)), plants=((128, 122, 70), (150, 136, 80), (104, 108, 64)),
        trunks=1, bushes=14, stones=13, grass=2400,
    ),
    Habitat(
        name="stony-ridge", horizon=0.38, sky=((164, 178, 198), (216, 216, 216)),
        ground=((134, 130, 118), (116, 110, 96)), plants=((100, 104, 66), (84, 92, 58), (122, 116, 80)),
        trunks=3, bushes=6, stones=34, grass=1500,
    ),
    Habitat(
        name="winter-wood", horizon=0.4, sky=((204, 208, 214), (222, 224, 228)),
        ground=((206, 210, 218), (222, 224, 230)), plants=((116, 104, 78), (134, 120, 92), (84, 84, 60)),
        trunks=14, bushes=5, stones=3, grass=700,
    ),
)  # fmt: skip


def plant(
    pen: ImageDraw.ImageDraw,
    depth: ImageDraw.ImageDraw,
    habitat: Habitat,
    size: tuple[int, int],
    horizon: float,
    rng: np.random.Generator,
) -> list[tuple[int, int, int, int]]:
    """Draw everything that stands on the ground, from far to near; returns boxes of bushes and stones."""
    width, height = size
    things = [
        (horizon + (height - horizon) * float(near) ** power, kind)
        for kind, number, power in (
            ("trunk", habitat.trunks, 2.6),
            ("bush", habitat.bushes, 2.0),
            ("stone", habitat.stones, 1.3),
            ("grass", habitat.grass // 20, 1.1),
        )
        for near in rng.uniform(0.02, 0.97 if kind == "grass" else 0.72, number)
    ]
    clutter = []
    for foot, kind in sorted(things):
        x, scale = rng.uniform(-0.02, 1.02) * width, (foot - horizon) / CAMERA_HEIGHT
        light = rng.uniform(0.78, 1.15)
        if kind == "trunk":
            _trunk(pen, depth, (x, foot), scale * rng.uniform(0.1, 0.22), light, rng)
        elif kind == "bush":
            reach = (scale * rng.uniform(0.3, 0.7), scale * rng.uniform(0.25, 0.6))
            leaves(pen, (x, foot - reach[1] * 0.8), reach, habitat.plants, 1100, max(2, scale * 0.017), rng)
            spot = (x, foot - reach[1] * 0.8, *reach)
            clutter.append(spot)
            depth.ellipse(_corners(*spot), fill=foot)
        elif kind == "stone":
            reach = (scale * rng.uniform(0.08, 0.32), scale * rng.uniform(0.05, 0.16))
            _stone(pen, (x, foot), reach, light, rng)
            spot = (x, foot - reach[1] / 2, *reach)
            clutter.append(spot)
            depth.ellipse(_corners(*spot), fill=foot)
        else:
            colour = habitat.plants[rng.integers(len(habitat.plants))]
            _tuft(pen, (x, foot), scale, colour, rng)
    boxes = [_corners(*spot) for spot in clutter]
    return [
        box
        for box in boxes
        if box[0] > 0 and box[2] < width and box[3] < height and box[2] - box[0] > 45 and box[3] - box[1] > 30
    ]


def _corners(x: float, y: float, half_width: float, half_height: float) -> tuple[int, int, int, int]:
    return int(x - half_width), int(y - half_height), int(x + half_width), int(y + half_height)


def _trunk(
    pen: ImageDraw.ImageDraw,
    depth: ImageDraw.ImageDraw,
    place: tuple[float, float],
    half: float,
    light: float,
    rng: np.random.Generator,
) -> None:
    (x, foot), half = place, max(half, 2.5)
    lean = rng.normal(0, 0.05) * foot
    depth.polygon(
        [(x - half, foot), (x + lean - half * 0.8, -5), (x + lean + half * 0.8, -5), (x + half, foot)],
        fill=foot,
    )
    base = np.asarray((96, 82, 66), np.float32) * light
    for strip in np.linspace(-1, 1, max(5, int(half / 2.2))):
        shade = base * (
            0.62 + 0.42 * math.sqrt(max(0.0, 1 - (strip + 0.25) ** 2 * 0.8)) + rng.normal(0, 0.05)
        )
        flare = 1.35
        pen.polygon(
            [
                (x + half * strip * flare, foot),
                (x + half * strip, foot - half * 2),
                (x + lean + half * strip * 0.8, -5),
                (x + lean + half * (strip + 0.3) * 0.8, -5),
                (x + half * (strip + 0.3), foot - half * 2),
                (x + half * (strip + 0.3) * flare, foot),
            ],
            fill=rgb(shade),
        )
    for _ in range(int(half * 5)):
        t, across = rng.uniform(0, 1), rng.uniform(-0.9, 0.9)
        y = foot * (1 - t)
        at = x + lean * t + half * across * (1 - 0.2 * t)
        pen.line(
            (at, y, at + rng.normal(0, 2), y - half * 0.5), fill=rgb(base * rng.uniform(0.5, 1.25)), width=2
        )


def leaves(
    pen: ImageDraw.ImageDraw,
    centre: tuple[float, float],
    reach: tuple[float, float],
    colours: tuple[Colour, ...],
    number: int,
    leaf: float,
    rng: np.random.Generator,
) -> None:
    """Draw a bush or a canopy: dark leaves inside, lit leaves on top."""
    for _ in range(12):  # the dark inside
        x, y = centre[0] + reach[0] * rng.normal(0, 0.2), centre[1] + reach[1] * rng.normal(0.05, 0.2)
        w, h = reach[0] * rng.uniform(0.25, 0.45), reach[1] * rng.uniform(0.25, 0.45)
        colour = np.asarray(colours[rng.integers(len(colours))], np.float32) * rng.uniform(0.34, 0.46)
        pen.ellipse((x - w, y - h, x + w, y + h), fill=rgb(colour))
    for i in range(number):
        angle, out = rng.uniform(0, 2 * math.pi), math.sqrt(rng.uniform(0, 1))
        x = centre[0] + reach[0] * out * math.cos(angle)
        y = centre[1] + reach[1] * out * math.sin(angle)
        lit = 0.45 + 0.55 * i / number + 0.18 * (centre[1] - y) / max(reach[1], 1)
        colour = np.asarray(colours[rng.integers(len(colours))], np.float32) * lit * rng.uniform(0.8, 1.15)
        w, h = leaf * rng.uniform(0.6, 1.5), leaf * rng.uniform(0.35, 0.9)
        pen.ellipse((x - w, y - h, x + w, y + h), fill=rgb(colour))


def _stone(
    pen: ImageDraw.ImageDraw,
    foot: tuple[float, float],
    reach: tuple[float, float],
    light: float,
    rng: np.random.Generator,
) -> None:
    angles = np.linspace(0, 2 * math.pi, 15, endpoint=False) + rng.uniform(-0.15, 0.15, 15)
    rim = rng.uniform(0.84, 1.05, 15)
    base = np.asarray((132, 128, 118), np.float32) * light
    for shrink, shade in ((1.0, 0.55), (0.88, 0.85), (0.62, 1.08)):
        lift = reach[1] * (1 - shrink) * 0.9
        pen.polygon(
            [
                (
                    foot[0] + reach[0] * r * shrink * math.cos(a),
                    foot[1] - lift + reach[1] * r * shrink * math.sin(a),
                )
                for a, r in zip(angles, rim, strict=True)
            ],
            fill=rgb(base * shade),
        )


def _tuft(
    pen: ImageDraw.ImageDraw,
    foot: tuple[float, float],
    scale: float,
    colour: Colour,
    rng: np.random.Generator,
) -> None:
    """Draw twenty blades of grass."""
    spread = scale * 0.09 + 4
    for _ in range(20):
        x, y = foot[0] + rng.normal(0, spread), foot[1] + rng.normal(0, spread * 0.25)
        tall, lean = scale * rng.uniform(0.03, 0.13) + 2, rng.normal(0, 0.4)
        shade = np.asarray(colour, np.float32) * rng.uniform(0.65, 1.3)
        pen.line(
            [(x, y), (x + lean * tall * 0.35, y - tall * 0.6), (x + lean * tall, y - tall)],
            fill=rgb(shade),
            width=max(1, int(scale / 160)),
        )


def rgb(colour: NDArray[np.floating]) -> Colour:
    """The colour (3,) as integers in 0..255."""
    red, green, blue = (int(max(0, min(255, value))) for value in colour)
    return red, green, blue
