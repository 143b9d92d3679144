"""The species of the demo's scenes: proportions, coats, behaviour and frequency."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Species:
    """One species. Lengths are in shoulder heights, angles in degrees above the horizontal."""

    name: str
    share: float  # fraction of all visits; the table below sums to 1
    at_night: float  # fraction of its visits in the dark
    company: float  # probability that a second animal walks beside it
    height: float  # at the shoulder, metres

    length: float  # from hip to chest
    chest: float  # radii of the trunk
    loin: float
    rump: float
    hip_top: float  # height of the back over the hip; the shoulder's is 1
    arch: float = 0.0  # how far the middle of the back rises above the line between them
    leg: float  # radius of the leg below the knee
    thigh: float
    hock: float = 0.08  # how far back the hock stands
    neck: float
    neck_angle: float
    neck_thick: float
    head: float  # radius of the skull
    muzzle: float  # length from skull to nose
    nose: float  # radius at the nose
    ear: float
    ear_width: float
    ear_angle: float = 65.0
    tail: float
    tail_thick: float
    tail_angle: float
    antlers: float = 0.0  # height on a male; half of the animals are males

    coat: Colour
    belly: Colour
    legs: Colour
    face: Colour
    ear_tip: Colour
    tail_tip: Colour
    rump_patch: Colour | None = None
    variation: float = 0.13  # standard deviation of brightness between individuals
    pattern: str = "plain"  # plain, spots, saddle, bristles, mask


SPECIES: tuple[Species, ...] = (
    Species(
        name="roe deer", share=0.29, at_night=0.4, company=0.3, height=0.72,
        length=1.02, chest=0.25, loin=0.21, rump=0.23, hip_top=1.03, leg=0.033, thigh=0.13, hock=0.1,
        neck=0.42, neck_angle=58, neck_thick=0.105, head=0.1, muzzle=0.2, nose=0.045, ear=0.23,
        ear_width=0.07,
        ear_angle=48, tail=0.03, tail_thick=0.03, tail_angle=-60, antlers=0.28,
        coat=(148, 98, 62), belly=(178, 146, 112), legs=(140, 100, 70), face=(128, 98, 76),
        ear_tip=(72, 56, 46), tail_tip=(225, 215, 196), rump_patch=(226, 216, 196),
    ),
    Species(
        name="wild boar", share=0.2, at_night=0.7, company=0.45, height=0.78,
        length=1.16, chest=0.36, loin=0.32, rump=0.29, hip_top=0.9, arch=0.04, leg=0.05,
        thigh=0.15, hock=0.05,
        neck=0.26, neck_angle=-6, neck_thick=0.26, head=0.185, muzzle=0.36, nose=0.06, ear=0.19,
        ear_width=0.08,
        ear_angle=70, tail=0.28, tail_thick=0.02, tail_angle=-55,
        coat=(84, 70, 60), belly=(74, 62, 54), legs=(50, 42, 38), face=(92, 78, 68),
        ear_tip=(60, 50, 44), tail_tip=(46, 38, 34), pattern="bristles",
    ),
    Species(
        name="red fox", share=0.16, at_night=0.65, company=0.05, height=0.4,
        length=1.28, chest=0.22, loin=0.17, rump=0.18, hip_top=0.97, leg=0.042, thigh=0.12, hock=0.1,
        neck=0.26, neck_angle=32, neck_thick=0.13, head=0.14, muzzle=0.23, nose=0.038, ear=0.24,
        ear_width=0.09,
        tail=1.02, tail_thick=0.11, tail_angle=-24,
        coat=(172, 100, 50), belly=(206, 182, 156), legs=(66, 48, 40), face=(182, 116, 64),
        ear_tip=(48, 38, 34), tail_tip=(232, 224, 212), variation=0.16,
    ),
    Species(
        name="brown hare", share=0.12, at_night=0.6, company=0.1, height=0.27,
        length=1.22, chest=0.27, loin=0.31, rump=0.37, hip_top=1.2, arch=0.14, leg=0.06, thigh=0.25, hock=0.2,
        neck=0.2, neck_angle=38, neck_thick=0.2, head=0.18, muzzle=0.17, nose=0.09, ear=0.62, ear_width=0.085,
        ear_angle=72, tail=0.14, tail_thick=0.08, tail_angle=40,
        coat=(142, 110, 74), belly=(196, 176, 148), legs=(148, 114, 78), face=(146, 114, 80),
        ear_tip=(40, 34, 30), tail_tip=(226, 220, 208), variation=0.12,
    ),
    Species(
        name="badger", share=0.08, at_night=0.9, company=0.15, height=0.32,
        length=1.72, chest=0.38, loin=0.4, rump=0.38, hip_top=1.03, arch=0.06, leg=0.1, thigh=0.18, hock=0.04,
        neck=0.3, neck_angle=2, neck_thick=0.24, head=0.19, muzzle=0.3, nose=0.06, ear=0.1, ear_width=0.07,
        tail=0.42, tail_thick=0.09, tail_angle=-30,
        coat=(128, 124, 116), belly=(58, 52, 48), legs=(42, 38, 36), face=(226, 222, 212),
        ear_tip=(226, 222, 212), tail_tip=(176, 170, 158), pattern="mask",
    ),
    Species(
        name="red deer", share=0.06, at_night=0.5, company=0.35, height=1.2,
        length=1.06, chest=0.27, loin=0.23, rump=0.235, hip_top=0.99, leg=0.034, thigh=0.135, hock=0.09,
        neck=0.5, neck_angle=52, neck_thick=0.14, head=0.1, muzzle=0.24, nose=0.05, ear=0.19, ear_width=0.065,
        ear_angle=35, tail=0.13, tail_thick=0.035, tail_angle=-65, antlers=0.75,
        coat=(132, 92, 62), belly=(142, 112, 86), legs=(112, 82, 60), face=(120, 92, 70),
        ear_tip=(98, 76, 60), tail_tip=(190, 156, 112), rump_patch=(198, 166, 122),
    ),
    Species(
        name="grey wolf", share=0.05, at_night=0.6, company=0.3, height=0.75,
        length=1.12, chest=0.25, loin=0.19, rump=0.2, hip_top=0.95, leg=0.046, thigh=0.135, hock=0.1,
        neck=0.32, neck_angle=24, neck_thick=0.17, head=0.135, muzzle=0.22, nose=0.055, ear=0.16,
        ear_width=0.075,
        tail=0.62, tail_thick=0.08, tail_angle=-58,
        coat=(126, 116, 102), belly=(182, 170, 150), legs=(162, 146, 122), face=(146, 134, 116),
        ear_tip=(98, 88, 76), tail_tip=(48, 44, 40), variation=0.2, pattern="saddle",
    ),
    Species(
        name="lynx", share=0.04, at_night=0.7, company=0.05, height=0.62,
        length=1.1, chest=0.23, loin=0.2, rump=0.23, hip_top=1.06, leg=0.058, thigh=0.16, hock=0.1,
        neck=0.24, neck_angle=36, neck_thick=0.15, head=0.155, muzzle=0.1, nose=0.08, ear=0.19,
        ear_width=0.075,
        ear_angle=80, tail=0.19, tail_thick=0.06, tail_angle=-35,
        coat=(166, 134, 98), belly=(210, 194, 168), legs=(168, 138, 104), face=(176, 150, 118),
        ear_tip=(32, 28, 26), tail_tip=(30, 26, 24), pattern="spots",
    ),
)  # fmt: skip
