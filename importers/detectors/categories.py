"""The class names of a model, mapped to animal, person and vehicle."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.records import ANIMAL, PERSON, VEHICLE
from pipeline.vocabulary import Meaning, kind_of, meaning_of

# The 80 classes of COCO detection in the order of YOLO models (cocodataset.org).
# fmt: off
COCO = [
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic_light", "fire_hydrant", "stop_sign", "parking_meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag",
    "tie", "suitcase", "frisbee", "skis", "snowboard", "sports_ball", "kite", "baseball_bat",
    "baseball_glove", "skateboard", "surfboard", "tennis_racket", "bottle", "wine_glass", "cup", "fork",
    "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot_dog",
    "pizza", "donut", "cake", "chair", "couch", "potted_plant", "bed", "dining_table", "toilet", "tv",
    "laptop", "mouse", "remote", "keyboard", "cell_phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy_bear", "hair_drier", "toothbrush",
]
# fmt: on
_COCO_ANIMALS = frozenset(COCO[14:24])  # bird to giraffe
_UNUSED = "n/a"  # torchvision's name for the class numbers that COCO does not use


def class_names(count: int) -> list[str] | None:
    """The assumed class names of a model that has `count` classes and names none; None if unknown."""
    names = {80: COCO, 3: [ANIMAL, PERSON, VEHICLE], 1: [ANIMAL]}.get(count)
    return None if names is None else list(names)


def to_categories(names: Sequence[str]) -> list[str | None]:
    """For each class of a model: animal, person or vehicle, or None if it is never reported.

    A model with the classes of COCO also reports chairs and umbrellas: these are dropped. In any other
    model, every class that is not a person or a vehicle counts as an animal, so that detectors of species
    work unchanged.
    """
    plain = [name.strip().lower().replace(" ", "_") for name in names]
    is_coco = {"toothbrush", "teddy_bear", "zebra"} <= set(plain)
    return [_category(name, is_coco) for name in plain]


def _category(name: str, is_coco: bool) -> str | None:
    kind = kind_of(name)
    if kind != ANIMAL:
        return kind
    is_blank = name == _UNUSED or meaning_of(name) is Meaning.BLANK
    return None if is_blank or (is_coco and name not in _COCO_ANIMALS) else ANIMAL
