"""One exposure of one camera: the landscape in the light of the hour, and the visible animals."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.scenes.animals import Pixels, Pose, draw
from pipeline.demo.scenes.habitats import CAMERA_HEIGHT
from pipeline.demo.scenes.landscapes import Landscape
from pipeline.demo.scenes.species import Species

Corners = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels
LEAST_VISIBLE = 0.3  # fraction of an animal that must be visible for it to count
LEAST_PIXELS = 26  # least width and height of its box
INFRARED = np.asarray((0.4, 0.4, 0.2), np.float32)  # brightness of red, green and blue in the flash


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Animals that pass a camera, or a branch that triggers it."""

    location: int
    time: dt.datetime
    night: bool
    frames: int
    species: Species | None  # None: the wind moved a branch
    seed: int  # differs between visits


@dataclass(frozen=True, kw_only=True)
class Walker:
    """One animal that walks through the picture."""

    species: Species
    pose: Pose
    x: float  # pixels, at the first frame
    foot: float  # pixel row of the ground under it
    speed: float  # pixels a second; negative against `pose.facing`
    height: float  # pixels at the shoulder


def walkers_of(visit: Visit, landscape: Landscape, rng: np.random.Generator) -> list[Walker]:
    """The animals of a visit, farthest first."""
    species = visit.species
    if species is None:
        return []
    height, width = landscape.vignette.shape
    company = 1 + int(rng.uniform() < species.company) + int(rng.uniform() < species.company / 3)
    facing = int(rng.choice((-1, 1)))
    walking = rng.uniform() < 0.7
    # Most animals are 90 to 420 pixels tall: far enough to fit, near enough to be visible.
    tall = float(np.clip(rng.lognormal(math.log(185), 0.42), 85, 0.5 * height))
    foot = landscape.horizon + tall / species.height * CAMERA_HEIGHT
    foot = float(np.clip(foot, landscape.horizon + 60, height * 1.02))
    middle = width * rng.uniform(0.12, 0.88)
    walkers = []
    for _ in range(company):
        own_foot = float(np.clip(foot + rng.normal(0, 26), landscape.horizon + 50, height * 1.04))
        adult = 1.0 if rng.uniform() < 0.85 else rng.uniform(0.6, 0.8)
        tall = landscape.pixels_per_metre(own_foot) * species.height * adult * rng.normal(1, 0.06)
        pose = Pose(
            stride=rng.uniform(0, 2 * math.pi), swing=rng.uniform(0.5, 1) if walking else rng.uniform(0, 0.2),
            head=float(np.clip(rng.normal(0.95, 0.1) if walking or rng.uniform() < 0.5 else 0.1, 0, 1)),
            facing=facing if rng.uniform() < 0.85 else -facing,
            turn=float(rng.choice((1.0, 0.92, 0.8, 0.62))),
            slope=rng.normal(0, 2.5), male=bool(rng.uniform() < 0.5),
            brightness=float(np.clip(rng.normal(1, species.variation), 0.6, 1.4)), warmth=rng.normal(0, 0.05),
        )  # fmt: skip
        speed = pose.facing * tall * rng.uniform(0.25, 0.8) if walking else rng.normal(0, 3)
        start = middle + rng.normal(0, tall * 1.3 * (company - 1)) - speed * (visit.frames - 1) * 0.8
        walkers.append(Walker(species=species, pose=pose, x=start, foot=own_foot, speed=speed, height=tall))
    return sorted(walkers, key=lambda walker: walker.foot)


def expose(
    visit: Visit,
    landscape: Landscape,
    walkers: Sequence[Walker],
    seconds: float,
    grain: Pixels,
    rng: np.random.Generator,
) -> tuple[Pixels, list[tuple[Walker, Corners, float]]]:
    """The pixels (H, W, 3) of one exposure, and each visible animal with its box and visible fraction."""
    height, width = landscape.vignette.shape
    hour = visit.time.hour + visit.time.minute / 60
    light: Pixels = np.ones(3, np.float32)
    if visit.night:
        scene: Pixels = np.repeat(landscape.night[..., None], 3, axis=2)
    else:
        low_sun = abs(hour - 12.8) / 7.5  # 0 at noon, 1 at dawn and dusk
        light = np.asarray((1.04 - 0.16 * low_sun, 1 - 0.24 * low_sun, 1 - 0.36 * low_sun), np.float32)
        dapple = np.roll(landscape.dapple, int(hour * 37), axis=1)
        scene = landscape.day * (dapple * landscape.vignette)[..., None] * light

    owner = np.full((height, width), -1, np.int8)
    totals = []
    for number, walker in enumerate(walkers):
        pose = walker.pose
        stride = replace(pose, stride=pose.stride + seconds * 3.1 * (pose.swing > 0.3))
        sprite = draw(walker.species, stride, walker.height, rng)
        totals.append(float(sprite.cover.sum()))
        left = round(walker.x + walker.speed * seconds - sprite.foot[0])
        top = round(walker.foot - sprite.foot[1])
        rows = slice(max(0, top), min(height, top + sprite.cover.shape[0]))
        columns = slice(max(0, left), min(width, left + sprite.cover.shape[1]))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        own = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
        _shadow(scene, walker, left + sprite.foot[0], night=visit.night)
        cover = sprite.cover[own] * (landscape.standing[rows, columns] < walker.foot)
        near_ground = np.arange(rows.start, rows.stop)[:, None] > walker.foot - walker.height * 0.22
        cover = cover * (1 - landscape.front[rows, columns] * near_ground)
        colour = sprite.colour[own]
        if visit.night:
            reach = float(
                np.clip(
                    0.3 + 1.25 * (walker.foot - landscape.horizon) / (height - landscape.horizon), 0, 1.15
                )
            )
            grey = (colour @ INFRARED) * 0.8 + 46
            colour = (grey * reach * np.sqrt(landscape.flash[rows, columns]))[..., None]
        else:
            local = np.roll(landscape.dapple, int(hour * 37), axis=1)[rows, columns]
            colour = 0.78 * colour + 0.22 * colour.mean(
                axis=2, keepdims=True
            )  # cheap sensors give pale colours
            colour = colour * (local * landscape.vignette[rows, columns])[..., None] * light * 0.94
        scene[rows, columns] += cover[..., None] * (colour - scene[rows, columns])
        if visit.night and pose.head > 0.5:
            _eye_shine(scene, (left + sprite.eye[0], top + sprite.eye[1]), walker.height * 0.022)
        owner[rows, columns][cover > 0.4] = number

    shift = rng.integers(0, 64, 2)
    sigma = rng.uniform(6, 10) if visit.night else rng.uniform(2.5, 4.5)
    scene *= rng.normal(1, 0.05)
    scene += (sigma * grain[shift[0] : shift[0] + height, shift[1] : shift[1] + width])[..., None]
    return np.clip(scene, 0, 255), _seen(walkers, owner, totals)


def _seen(
    walkers: Sequence[Walker], owner: NDArray[np.int8], totals: Sequence[float]
) -> list[tuple[Walker, Corners, float]]:
    seen = []
    for number, (walker, total) in enumerate(zip(walkers, totals, strict=True)):
        pixels = owner == number
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        if rows.size < LEAST_PIXELS or columns.size < LEAST_PIXELS:
            continue
        visible = float(pixels.sum()) / total
        if visible >= LEAST_VISIBLE:
            box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
            seen.append((walker, box, visible))
    return seen


def _shadow(scene: Pixels, walker: Walker, x: float, *, night: bool) -> None:
    """Darken the ground under the feet; less at night, when the shadow falls behind the animal."""
    height, width = scene.shape[:2]
    half = (walker.height * walker.species.length * 0.62 * walker.pose.turn, walker.height * 0.1)
    rows = slice(max(0, int(walker.foot - 2 * half[1])), min(height, int(walker.foot + 2 * half[1])))
    columns = slice(max(0, int(x - 2 * half[0])), min(width, int(x + 2 * half[0])))
    y, across = np.ogrid[rows, columns]
    depth = np.exp(-(((across - x) / half[0]) ** 2 + ((y - walker.foot) / half[1]) ** 2) * 1.4)
    scene[rows, columns] *= (1 - (0.3 if night else 0.5) * depth)[..., None].astype(np.float32)


def _eye_shine(scene: Pixels, eye: tuple[float, float], radius: float) -> None:
    height, width = scene.shape[:2]
    reach = int(radius * 5) + 2
    rows = slice(max(0, int(eye[1]) - reach), max(0, min(height, int(eye[1]) + reach)))
    columns = slice(max(0, int(eye[0]) - reach), max(0, min(width, int(eye[0]) + reach)))
    y, x = np.ogrid[rows, columns]
    glow = np.exp(-((x - eye[0]) ** 2 + (y - eye[1]) ** 2) / (2 * max(radius, 1.0) ** 2))
    scene[rows, columns] += (230 * glow)[..., None].astype(np.float32)
