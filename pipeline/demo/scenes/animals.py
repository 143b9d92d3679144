"""Draws one animal: a skeleton in a pose, covered by tapering limbs, lit from above."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from pipeline.demo.scenes.species import Colour, Species

Pixels = NDArray[np.float32]
Joint = tuple[float, float, float]  # forward, up, radius; in shoulder heights, from below the trunk's middle

OVERSAMPLING = 2
SPLINE_STEPS = 7  # circles drawn between two joints


@dataclass(frozen=True, kw_only=True)
class Pose:
    """The pose and looks of an individual at one moment."""

    stride: float  # phase of its gait, radians
    swing: float  # how far the legs swing, 0 standing to 1 running
    head: float  # 0 at the ground, 1 up
    facing: int  # 1 to the right, -1 to the left
    turn: float  # 1 seen from the side; less is foreshortened
    slope: float  # degrees
    male: bool
    brightness: float  # of this individual's coat; 1 is typical
    warmth: float  # red against blue; 0 is typical


@dataclass(frozen=True, kw_only=True)
class Sprite:
    """A drawn animal: colour and opacity, with the point between its feet."""

    colour: Pixels  # (H, W, 3), 0 to 255, in even daylight
    cover: Pixels  # (H, W), 0 to 1: opacity
    foot: tuple[float, float]  # x and y in pixels of the sprite
    eye: tuple[float, float]  # where the flash is reflected


@dataclass(frozen=True, kw_only=True)
class _Limb:
    joints: Sequence[Joint]
    colour: Colour
    tip: Colour | None = None  # of its second half
    shade: float = 1.0  # limbs on the far side are darker
    soft: float = 0.0  # width of its edge in shoulder heights
    inside: bool = False  # a marking: painted only over limbs drawn before
    scattered: bool = False  # dots at the joints with nothing between them


def draw(species: Species, pose: Pose, height: float, rng: np.random.Generator) -> Sprite:
    """Draw `species` in `pose`, its shoulder `height` pixels above the ground."""
    limbs, eye = _skeleton(species, pose, rng)
    tilt = math.radians(pose.slope)

    def place(x: float, y: float) -> tuple[float, float]:
        x *= pose.turn * pose.facing
        return (
            height * (x * math.cos(tilt) - y * math.sin(tilt)),
            -height * (x * math.sin(tilt) + y * math.cos(tilt)),
        )

    chains = [[(*place(x, y), radius * height) for x, y, radius in limb.joints] for limb in limbs]
    joints = [joint for chain in chains for joint in chain]
    left = min(x - r for x, _, r in joints) - 3
    top = min(y - r for _, y, r in joints) - 3
    size = (
        math.ceil(max(x + r for x, _, r in joints) + 3 - left),
        math.ceil(max(y + r for _, y, r in joints) + 3 - top),
    )
    colour = np.zeros((size[1], size[0], 3), np.float32)
    cover = np.zeros((size[1], size[0]), np.float32)
    for limb, chain in zip(limbs, chains, strict=True):
        canvas = [(x - left, y - top, r) for x, y, r in chain]
        window, mask = _mask(canvas, size, limb.soft * height, scattered=limb.scattered)
        if limb.inside:
            mask = mask * cover[window]
        paint = np.asarray(limb.colour, np.float32) * limb.shade
        colour[window] += mask[..., None] * (paint - colour[window])
        cover[window] = np.maximum(cover[window], mask)
        if limb.tip is not None:
            window, end = _mask(canvas[-max(2, len(chain) // 2) :], size, height * 0.03)
            paint = np.asarray(limb.tip, np.float32) * limb.shade
            colour[window] += (end * cover[window])[..., None] * (paint - colour[window])
    colour *= (_relief(cover, height) * _fur(size, height, rng, species.pattern))[..., None]
    colour *= pose.brightness * np.asarray((1 + pose.warmth, 1, 1 - pose.warmth), np.float32)
    eye_x, eye_y = place(*eye)
    return Sprite(
        colour=np.clip(colour, 0, 255), cover=cover, foot=(-left, -top), eye=(eye_x - left, eye_y - top)
    )


def _skeleton(
    species: Species, pose: Pose, rng: np.random.Generator
) -> tuple[list[_Limb], tuple[float, float]]:
    """The limbs from back to front, and the eye."""
    s, half = species, species.length / 2
    shoulder = (half - s.chest * 0.35, 1 - s.chest)
    hip = (-half + s.rump * 0.4, s.hip_top - s.rump)
    middle_y = (1 + s.hip_top) / 2 + s.arch - s.loin
    trunk: list[Joint] = [
        (hip[0] - s.rump * 0.25, hip[1] - 0.01, s.rump * 0.86),
        (*hip, s.rump),
        (-half * 0.2, middle_y, s.loin),
        (half * 0.35, (middle_y + shoulder[1]) / 2, (s.loin + s.chest) / 2),
        (*shoulder, s.chest),
        (half * 0.98, 1 - s.chest * 0.95, s.chest * 0.72),
    ]
    belly: list[Joint] = [(x, y - radius * 0.75, radius * 0.3) for x, y, radius in trunk[2:4]]

    angle = math.radians(s.neck_angle * pose.head - 48 * (1 - pose.head))
    base = (half * 0.95, 1 - s.chest * 0.75)
    skull = (base[0] + s.neck * math.cos(angle), base[1] + s.neck * math.sin(angle))
    neck: list[Joint] = [
        (half * 0.72, 1 - s.chest * 0.85, s.chest * 0.7),
        (*base, (s.neck_thick + s.chest * 0.6) / 2),
        ((base[0] + skull[0]) / 2, (base[1] + skull[1]) / 2 + 0.01, s.neck_thick),
        (*skull, max(s.head * 0.85, s.neck_thick * 0.62)),
    ]
    look = math.radians(-18 - 40 * (1 - pose.head))
    nose = (skull[0] + s.muzzle * math.cos(look), skull[1] + s.muzzle * math.sin(look))
    middle = ((skull[0] * 0.55 + nose[0] * 0.45), skull[1] * 0.55 + nose[1] * 0.45)
    head: list[Joint] = [(*skull, s.head), (*middle, (s.head * 0.75 + s.nose) / 2), (*nose, s.nose)]
    eye = (skull[0] + s.head * 0.42, skull[1] + s.head * 0.3)

    legs = [_leg(hip[0] - 0.02, hip[1], s, pose, phase, hind=True) for phase in (0.0, math.pi)] + [
        _leg(shoulder[0] + 0.04, shoulder[1], s, pose, phase, hind=False) for phase in (1.6, 1.6 + math.pi)
    ]
    far_hind, near_hind, far_fore, near_fore = legs
    limbs = [
        _Limb(joints=far_hind, colour=s.coat, tip=s.legs, shade=0.66),
        _Limb(joints=far_fore, colour=s.coat, tip=s.legs, shade=0.66),
        _Limb(joints=_ear(skull, s, pose, spread=14), colour=s.face, tip=s.ear_tip, shade=0.72),
    ]
    if s.antlers and pose.male:
        limbs += _antlers(skull, s, pose, shade=0.7)
    limbs += [
        _Limb(joints=_tail(hip, s), colour=s.coat, tip=s.tail_tip),
        _Limb(joints=trunk, colour=s.coat),
    ]
    if s.rump_patch is not None:
        patch = [(hip[0] - s.rump * 0.82, hip[1] + s.rump * 0.12, s.rump * 0.3)]
        patch.append((hip[0] - s.rump * 0.86, hip[1] - s.rump * 0.3, s.rump * 0.25))
        limbs.append(_Limb(joints=patch, colour=s.rump_patch, soft=0.03, inside=True))
    limbs += [
        _Limb(joints=near_hind, colour=s.coat, tip=s.legs),
        _Limb(joints=near_fore, colour=s.coat, tip=s.legs),
        _Limb(joints=neck, colour=s.coat),
        _Limb(joints=belly, colour=s.belly, soft=0.05, inside=True),
        *_markings(trunk, s, rng),
        _Limb(joints=head, colour=s.face),
        _Limb(
            joints=[
                (nose[0] + s.nose * 0.5, nose[1] + s.nose * 0.2, s.nose * 0.5),
                (nose[0] + s.nose * 0.6, nose[1], s.nose * 0.4),
            ],
            colour=(38, 32, 30),
        ),
    ]
    if s.pattern == "mask":  # a badger's dark stripe through the eye
        limbs.append(
            _Limb(
                joints=[
                    (skull[0] - s.head * 0.6, skull[1] + s.head * 0.25, s.head * 0.3),
                    (*eye, s.head * 0.3),
                    ((eye[0] + nose[0]) / 2, (eye[1] + nose[1]) / 2, s.head * 0.18),
                ],
                colour=(34, 30, 28),
            )
        )
    limbs.append(_Limb(joints=_ear(skull, s, pose, spread=-10), colour=s.face, tip=s.ear_tip))
    if s.antlers and pose.male:
        limbs += _antlers(skull, s, pose, shade=1.0)
    limbs.append(
        _Limb(joints=[(*eye, s.head * 0.13), (eye[0] + 0.005, eye[1], s.head * 0.13)], colour=(24, 20, 18))
    )
    return limbs, eye


def _markings(trunk: Sequence[Joint], s: Species, rng: np.random.Generator) -> list[_Limb]:
    """Markings of the coat: spots, a dark saddle, a mane of bristles."""
    back = [(x, y + radius * 0.7, radius * 0.33) for x, y, radius in trunk[1:5]]
    if s.pattern == "spots":
        spots = []
        for _ in range(110):
            x, y, radius = trunk[int(rng.integers(len(trunk)))]
            spots.append(
                (x + rng.normal(0, 0.17), y + rng.normal(0, radius * 0.55), rng.uniform(0.009, 0.019))
            )
        return [_Limb(joints=spots, colour=(84, 62, 44), inside=True, scattered=True, soft=0.004)]
    if s.pattern == "saddle":
        return [_Limb(joints=back, colour=(66, 60, 54), soft=0.07, inside=True)]
    if s.pattern == "bristles":
        crest = [(x, y + 0.03, radius * 0.9) for x, y, radius in back]
        return [_Limb(joints=crest, colour=(46, 38, 34), soft=0.035)]
    return []


def _leg(x: float, y: float, s: Species, pose: Pose, phase: float, *, hind: bool) -> list[Joint]:
    swing = pose.swing * math.sin(pose.stride + phase) * 0.34
    lift = max(0.0, pose.swing * math.cos(pose.stride + phase)) * 0.12
    knee = y * 0.5
    foot = (x + swing + (0.0 if hind else 0.02), lift)
    if hind:
        bend = [
            (x + 0.06 + swing * 0.3, knee + 0.12 * y, s.thigh * 0.62),
            (x - s.hock + swing * 0.8, knee * 0.72 + lift, s.leg * 1.2),
        ]
    else:
        bend = [
            (x - 0.02 + swing * 0.3, knee + 0.1 * y, s.thigh * 0.5),
            (x + 0.015 + swing * 0.7 + lift * 0.4, knee * 0.75 + lift, s.leg * 1.15),
        ]
    return [
        (x, y, s.thigh * (1.25 if hind else 1.0)),
        *bend,
        (foot[0], foot[1] + s.leg * 2.2, s.leg * 0.95),
        (foot[0] + s.leg * 0.9, foot[1] + s.leg * 0.9, s.leg * 1.05),
    ]


def _ear(skull: tuple[float, float], s: Species, pose: Pose, spread: float) -> list[Joint]:
    angle = math.radians(180 - s.ear_angle + spread - 25 * (1 - pose.head))
    along = (math.cos(angle), math.sin(angle))
    start = (skull[0] - s.head * 0.25, skull[1] + s.head * 0.55)
    steps = ((0.0, 0.75), (0.4, 1.0), (0.75, 0.62), (1.0, 0.16))
    return [
        (start[0] + along[0] * s.ear * t, start[1] + along[1] * s.ear * t, s.ear_width * w) for t, w in steps
    ]


def _tail(hip: tuple[float, float], s: Species) -> list[Joint]:
    angle = math.radians(180 - s.tail_angle)
    start = (hip[0] - s.rump * 0.75, hip[1] + s.rump * 0.55)
    steps = ((0.0, 0.55, 0.0), (0.3, 0.85, 0.02), (0.65, 1.0, -0.03), (0.85, 0.85, -0.02), (1.0, 0.35, 0.02))
    return [
        (
            start[0] + s.tail * t * math.cos(angle),
            start[1] + s.tail * t * math.sin(angle) + droop * s.tail,
            s.tail_thick * w,
        )
        for t, w, droop in steps
    ]


def _antlers(skull: tuple[float, float], s: Species, pose: Pose, shade: float) -> list[_Limb]:
    lean = 0.3 if shade < 1 else 0.0
    root = (skull[0] - s.head * 0.15, skull[1] + s.head * 0.8)
    back = 0.4 - 0.3 * (1 - pose.head)
    beam = [
        (root[0] - s.antlers * (back * t - lean * t * 0.4), root[1] + s.antlers * t, 0.022 * (1.3 - t))
        for t in (0.0, 0.35, 0.7, 1.0)
    ]
    limbs = [_Limb(joints=beam, colour=(112, 92, 70), shade=shade)]
    for t in (0.25, 0.55, 0.8):
        x, y = root[0] - s.antlers * (back * t - lean * t * 0.4), root[1] + s.antlers * t
        tine = [(x, y, 0.016), (x + s.antlers * 0.22, y + s.antlers * 0.12, 0.006)]
        limbs.append(_Limb(joints=tine, colour=(132, 112, 88), shade=shade))
    return limbs


def _mask(
    chain: Sequence[Joint], size: tuple[int, int], soft: float = 0.0, *, scattered: bool = False
) -> tuple[tuple[slice, slice], Pixels]:
    """The window in which a chain of circles lies, and the opacity there; its edge is `soft` pixels wide.

    A scattered chain is one dot per joint.
    """
    k = OVERSAMPLING
    points = chain if scattered else _smooth(chain)
    margin = 2 + 3 * soft
    left = max(0, math.floor(min(x - r for x, _, r in points) - margin))
    top = max(0, math.floor(min(y - r for _, y, r in points) - margin))
    right = min(size[0], max(left + 1, math.ceil(max(x + r for x, _, r in points) + margin)))
    bottom = min(size[1], max(top + 1, math.ceil(max(y + r for _, y, r in points) + margin)))
    image = Image.new("L", ((right - left) * k, (bottom - top) * k))
    pen = ImageDraw.Draw(image)
    points = [((x - left) * k, (y - top) * k, r * k) for x, y, r in points]
    for (x1, y1, r1), (x2, y2, r2) in [] if scattered else itertools.pairwise(points):
        length = math.hypot(x2 - x1, y2 - y1) or 1.0
        nx, ny = (y1 - y2) / length, (x2 - x1) / length
        pen.polygon(
            [
                (x1 + nx * r1, y1 + ny * r1),
                (x2 + nx * r2, y2 + ny * r2),
                (x2 - nx * r2, y2 - ny * r2),
                (x1 - nx * r1, y1 - ny * r1),
            ],
            fill=255,
        )
    for x, y, r in points:
        pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
    image = image.reduce(k)
    if soft > 0:
        image = image.filter(ImageFilter.GaussianBlur(soft))
    return (slice(top, bottom), slice(left, right)), np.asarray(image, np.float32) / np.float32(255)


def _smooth(chain: Sequence[Joint]) -> list[Joint]:
    """A Catmull-Rom spline through the joints."""
    if len(chain) < 3:
        return list(chain)
    joints = np.asarray([chain[0], *chain, chain[-1]], np.float64)
    p0, p1, p2, p3 = joints[:-3, None], joints[1:-2, None], joints[2:-1, None], joints[3:, None]
    t = np.linspace(0, 1, SPLINE_STEPS, endpoint=False)[None, :, None]
    curve = 0.5 * (
        2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    flat = np.vstack([curve.reshape(-1, 3), joints[-1:]])
    return [(x, y, max(r, 0.3)) for x, y, r in flat.tolist()]


def _relief(cover: Pixels, height: float) -> Pixels:
    """Light from the sky on a rounded body: above 1 on the back, below 1 on the belly."""
    thickness = Image.fromarray((cover * 255).astype(np.uint8))
    field = np.zeros_like(cover)
    for radius, weight in ((height * 0.035, 0.4), (height * 0.11, 0.9)):
        blurred = np.asarray(thickness.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255
        field += weight * np.gradient(blurred, axis=0) * radius * 2.2
    return np.clip(0.84 + field, 0.35, 1.2)


def _fur(size: tuple[int, int], height: float, rng: np.random.Generator, pattern: str) -> Pixels:
    """Brightness of fur: horizontal strands, coarse on a boar."""
    strand = max(1.0, height * (0.012 if pattern == "bristles" else 0.006))
    grid = (max(2, int(size[1] / strand)), max(2, int(size[0] / (strand * 3))))
    fine = rng.normal(0, 1, grid).astype(np.float32)
    coarse = rng.normal(0, 1, (5, 7)).astype(np.float32)
    depth = 0.11 if pattern == "bristles" else 0.07
    return 1 + depth * _stretch(fine, size) + 0.06 * _stretch(coarse, size)


def _stretch(grid: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC), np.float32)
