"""Invented species and places, drawn between and around those of the demo, for pretraining."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.scenes.habitats import HABITATS, Habitat, rgb
from pipeline.demo.scenes.species import SPECIES, Colour, Species

# Traits that are inherited together, so that the proportions of each body part fit.
BODY = ("height", "length", "chest", "loin", "rump", "hip_top", "leg", "thigh", "hock")
HEAD = ("neck", "neck_thick", "head", "muzzle", "nose")
EARS = ("ear", "ear_width")
TAIL = ("tail", "tail_thick")
LENGTHS = (*BODY, *HEAD, *EARS, *TAIL)
ANGLES = ("neck_angle", "ear_angle", "tail_angle")
COLOURS = ("coat", "belly", "legs", "face", "ear_tip", "tail_tip")
PATTERNS = {"plain": 0.34, "spots": 0.2, "saddle": 0.2, "bristles": 0.14, "mask": 0.12}

RARER = 0.87  # share of each species to that of the one before it
LEAST_APART = 5.0  # least distance of two species; of the demo's, roe and red deer are nearest, at 5.8
BEYOND = 0.25  # how far a blend is moved away from the mean of the demo's species
THICKEST = 0.4  # largest radius of a trunk, so that the belly does not touch the ground

Numbers = NDArray[np.float64]


def species(count: int, seed: int) -> tuple[Species, ...]:
    """`count` species that differ from one another and from the demo's, the most common first."""
    rng = np.random.default_rng([seed, 0])
    shares = RARER ** np.arange(count) * (1 - RARER) / (1 - RARER**count)
    found: list[Species] = []
    taken = [point(known) for known in SPECIES]
    while len(found) < count:
        candidate = _species(f"species {len(found) + 1:02d}", float(shares[len(found)]), rng)
        here = point(candidate)
        if min(float(np.linalg.norm(here - other)) for other in taken) >= LEAST_APART:
            found.append(candidate)
            taken.append(here)
    return tuple(found)


def habitats(count: int, seed: int) -> tuple[Habitat, ...]:
    """`count` places whose ground, light and plants are drawn from those of the demo."""
    rng = np.random.default_rng([seed, 1])
    return tuple(_habitat(f"place-{number + 1:02d}", rng) for number in range(count))


def point(candidate: Species) -> Numbers:
    """The species as a point (T,) in the space of traits; a distance of 1 in one trait is easy to see."""
    lengths = [math.log(getattr(candidate, name)) / 0.35 for name in LENGTHS]
    angles = [getattr(candidate, name) / 35 for name in ANGLES]
    colours = [channel / 40 for name in COLOURS for channel in getattr(candidate, name)]
    patterns = [1.2 * (candidate.pattern == name) for name in PATTERNS]
    return np.asarray([*lengths, *angles, *colours, *patterns])


def _species(name: str, share: float, rng: np.random.Generator) -> Species:
    body = _weights(rng)
    head = (body + _weights(rng)) / 2  # a head that fits its body
    ears, tail, coat = (_weights(rng) for _ in range(3))
    traits: dict[str, Any] = dict(_coat(coat, rng))
    for names, weights in ((BODY, body), (HEAD, head), (EARS, ears), (TAIL, tail)):
        spread = 0.22 if names is TAIL else 0.1
        for trait in names:
            logs = np.log([getattr(known, trait) for known in SPECIES])
            traits[trait] = float(np.exp(weights @ logs + rng.normal(0, spread)))
    for trait, weights in zip(ANGLES, (head, ears, tail), strict=True):
        traits[trait] = _mean(trait, weights) + rng.normal(0, 7)
    for trait in ("chest", "loin", "rump"):
        traits[trait] = min(traits[trait], THICKEST)
    antlers = SPECIES[head.argmax()].antlers
    patch = SPECIES[coat.argmax()].rump_patch
    patterns = list(PATTERNS)
    return Species(
        name=name, share=share, arch=_mean("arch", body), antlers=antlers * rng.uniform(0.6, 1.3),
        at_night=float(np.clip(_mean("at_night", body) + rng.normal(0, 0.15), 0.15, 0.9)),
        company=_mean("company", body), variation=_mean("variation", coat), rump_patch=patch,
        pattern=patterns[rng.choice(len(patterns), p=list(PATTERNS.values()))],
        **traits,
    )  # fmt: skip


def _coat(weights: Numbers, rng: np.random.Generator) -> dict[str, Colour]:
    """The colours of a blend of species, all darker or paler, redder or greyer."""
    warmth = rng.uniform(-0.04, 0.14)  # no fur is blue
    tint = rng.uniform(0.6, 1.3) * (1 + warmth * np.asarray((1, 0, -1)))
    colours = {}
    for name in COLOURS:
        blend = weights @ np.asarray([getattr(known, name) for known in SPECIES], np.float64)
        colours[name] = rgb(np.clip(blend * tint + rng.normal(0, 7), 22, 232))
    return colours


def _weights(rng: np.random.Generator) -> Numbers:
    """The weights of the demo's species in a blend, mostly of one to three; their sum is 1."""
    blend = rng.dirichlet(np.full(len(SPECIES), 0.2))
    return blend + BEYOND * (blend - 1 / len(SPECIES))


def _mean(trait: str, weights: Numbers) -> float:
    return float(weights @ np.asarray([getattr(known, trait) for known in SPECIES]))


def _habitat(name: str, rng: np.random.Generator) -> Habitat:
    ground, light, plants, cover = (HABITATS[rng.integers(len(HABITATS))] for _ in range(4))
    near, far = _tinted(ground.ground, 0.09, rng), _tinted(light.sky, 0.04, rng)
    tracks = [known.track for known in HABITATS if known.track is not None]
    track = _tinted(tracks, 0.1, rng)[rng.integers(len(tracks))] if rng.uniform() < 0.2 else None
    return Habitat(
        name=name,
        horizon=rng.uniform(0.33, 0.44),
        sky=(far[0], far[1]),
        ground=(near[0], near[1]),
        plants=_tinted(plants.plants, 0.12, rng),
        trunks=_about(cover.trunks, rng),
        bushes=_about(cover.bushes, rng),
        stones=_about(ground.stones, rng),
        grass=_about(plants.grass, rng),
        track=track,
        canopy=cover.canopy,
    )


def _about(number: int, rng: np.random.Generator) -> int:
    return round(number * rng.uniform(0.6, 1.4))


def _tinted(colours: Sequence[Colour], spread: float, rng: np.random.Generator) -> tuple[Colour, ...]:
    """The colours in a different light: all brighter or darker, warmer or colder."""
    warmth = rng.normal(0, spread / 2)
    tint = (1 + rng.normal(0, spread)) * np.asarray((1 + warmth, 1, 1 - warmth))
    return tuple(rgb(np.asarray(colour, np.float64) * tint) for colour in colours)
