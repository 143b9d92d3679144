"""Renders a set of camera-trap scenes with true labels: photographs, detector results, truth, species list.

Nothing is downloaded, so the demo and the tests have photographs wherever they run.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageDraw, ImageFont
from tqdm import tqdm

from pipeline.demo.scenes.animals import Pixels
from pipeline.demo.scenes.exposures import Corners, Visit, expose, walkers_of
from pipeline.demo.scenes.habitats import HABITATS, Habitat
from pipeline.demo.scenes.landscapes import Landscape, fractal, paint
from pipeline.demo.scenes.species import SPECIES, Species
from pipeline.records import Box

STRIP = 48  # pixels at the bottom, where the camera writes its time
BEGIN = dt.datetime(2024, 4, 8)
DAYS = 40
EMPTY = 0.14  # fraction of visits without an animal: wind moves the leaves
MISTAKEN = 0.07  # probability that the detector takes a bush or a stone for an animal
SEQUENCE_LENGTHS = (0.3, 0.22, 0.33, 0.15)  # probability of sequences of 1, 2, 3 and 4 photographs


TrueBox = tuple[Box, str, float]  # the box, its species or `empty`, and the visible fraction


@dataclass(frozen=True, kw_only=True)
class SceneSet:
    """The files of a rendered set of scenes."""

    photos: Path  # a folder for each camera
    results: Path  # MegaDetector results, format 1.6
    truth: Path  # CSV: file_name, x1, y1, x2, y2, label
    species: Path  # one name per line


def scene_files(folder: Path) -> SceneSet:
    """The files that `render` writes to `folder`."""
    return SceneSet(
        photos=folder / "photos",
        results=folder / "megadetector.json",
        truth=folder / "truth.csv",
        species=folder / "species.txt",
    )


def is_rendered(folder: Path) -> bool:
    """Whether `folder` has a complete set."""
    return scene_files(folder).species.exists()  # written last


def render(
    folder: Path,
    *,
    photographs: int = 300,
    seed: int = 11,
    size: tuple[int, int] = (1280, 960),
    species: Sequence[Species] = SPECIES,
    habitats: Sequence[Habitat] = HABITATS,
) -> SceneSet:
    """Write `photographs` scenes to `folder`; the same seed gives the same files.

    `size` is width and height in pixels. One camera stands in each of `habitats`, whose names must differ.
    A complete set in `folder` is kept as it is.
    """
    scenes = scene_files(folder)
    if is_rendered(folder):
        return scenes
    visits = _plan(photographs, seed, species, habitats)
    images: list[dict[str, object]] = []
    truths: list[tuple[str, Box | None, str]] = []
    with tqdm(total=photographs, desc="rendering scenes", unit="photo", disable=None) as progress:
        for number, habitat in enumerate(habitats):
            own = [visit for visit in visits if visit.location == number]
            for name, boxes, detections in _shoot(scenes.photos, habitat, number, own, seed, size):
                truths += [(name, box, label) for box, label, _ in boxes] or [(name, None, "empty")]
                images.append({"file": name, "detections": detections})
                progress.update()
    _write_results(scenes.results, images)
    with scenes.truth.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file_name", "x1", "y1", "x2", "y2", "label"))
        for name, box, label in truths:
            corners = (box.x1, box.y1, box.x2, box.y2) if box is not None else ("", "", "", "")
            writer.writerow((name, *(corner and f"{corner:.5f}" for corner in corners), label))
    scenes.species.write_text("".join(f"{kind.name}\n" for kind in species))
    return scenes


def _plan(
    photographs: int, seed: int, species: Sequence[Species], habitats: Sequence[Habitat]
) -> list[Visit]:
    """All visits in the order of time; their frames sum to `photographs`."""
    rng = np.random.default_rng(seed)
    shares = np.asarray([kind.share for kind in species])
    weights = shares * rng.lognormal(0, 0.45, (len(habitats), len(species)))  # each habitat differs
    visits: list[Visit] = []
    frames = 0
    while frames < photographs:
        location = int(rng.integers(len(habitats)))
        probabilities = weights[location] / weights[location].sum()
        visitor = None if rng.uniform() < EMPTY else species[rng.choice(len(species), p=probabilities)]
        night = rng.uniform() < (0.3 if visitor is None else visitor.at_night)
        hour = (rng.uniform(21, 28.5) if night else rng.uniform(5.5, 20)) % 24
        day = BEGIN + dt.timedelta(days=int(rng.integers(DAYS)))
        length = int(rng.choice(len(SEQUENCE_LENGTHS), p=SEQUENCE_LENGTHS)) + 1
        length = min(length, photographs - frames)
        visits.append(
            Visit(
                location=location, time=day + dt.timedelta(seconds=int(hour * 3600)), night=night,
                frames=length, species=visitor, seed=len(visits),
            )
        )  # fmt: skip
        frames += length
    return sorted(visits, key=lambda visit: visit.time)


def _shoot(
    photos: Path,
    habitat: Habitat,
    number: int,
    visits: Sequence[Visit],
    seed: int,
    size: tuple[int, int],
) -> Iterator[tuple[str, list[TrueBox], list[dict[str, object]]]]:
    """Every photograph of camera `number`: its file name, true boxes and simulated detections."""
    landscape = paint(habitat, (size[0], size[1] - STRIP), seed + number)
    grain = fractal((size[0] + 64, size[1] + 64), np.random.default_rng([seed, number]), size[0], 1)
    (photos / habitat.name).mkdir(parents=True, exist_ok=True)
    count = 0
    for visit in visits:
        rng = np.random.default_rng([seed, visit.seed])
        walkers = walkers_of(visit, landscape, rng)
        mistake = _mistake(visit, landscape, rng)
        seconds = 0
        for _ in range(visit.frames):
            count += 1
            name = f"{habitat.name}/IMG_{count:04d}.JPG"
            pixels, seen = expose(visit, landscape, walkers, seconds, grain, rng)
            _save(photos / name, pixels, habitat.name, visit.time + dt.timedelta(seconds=seconds), size, rng)
            boxes = [(_fractions(box, size), walker.species.name, visible) for walker, box, visible in seen]
            apart = mistake is not None and not any(_overlap(mistake, box) for _, box, _ in seen)
            if mistake is not None and apart and rng.uniform() < 0.8:
                boxes.append((_fractions(mistake, size), "empty", 0.0))
            yield name, boxes, _detect(boxes, visit.night, rng)
            seconds += int(rng.integers(1, 4))


def _mistake(visit: Visit, landscape: Landscape, rng: np.random.Generator) -> Corners | None:
    """The bush or stone that the detector takes for an animal in this sequence, if any."""
    probability = 5 * MISTAKEN if visit.species is None else MISTAKEN
    if not landscape.clutter or rng.uniform() > probability:
        return None
    nearest = landscape.clutter[-4:]  # a detector repeats its mistakes in the same places
    return nearest[rng.integers(len(nearest))]


def _overlap(box: Corners, other: Corners) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]


def _save(
    path: Path,
    pixels: Pixels,
    camera: str,
    time: dt.datetime,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Write the picture with the camera's strip of text below it and the time in EXIF."""
    picture = Image.new("RGB", size)
    picture.paste(Image.fromarray(pixels.astype(np.uint8)))
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=28)
    celsius = round(11 + 7 * math.sin((time.hour - 9) / 24 * 2 * math.pi) + rng.normal(0, 1.5))
    middle = size[1] - STRIP / 2
    pen.text((18, middle), f"{time:%Y-%m-%d  %H:%M:%S}", fill="white", font=font, anchor="lm")
    pen.text((size[0] / 2, middle), f"{celsius} °C", fill="white", font=font, anchor="mm")
    pen.text((size[0] - 18, middle), camera.upper(), fill="white", font=font, anchor="rm")
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Wildloop"
    exif[ExifTags.Base.Model] = "rendered scene"
    exif[ExifTags.Base.DateTime] = f"{time:%Y:%m:%d %H:%M:%S}"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = f"{time:%Y:%m:%d %H:%M:%S}"
    picture.save(path, "JPEG", quality=84, exif=exif)


def _fractions(box: Corners, size: tuple[int, int]) -> Box:
    return Box(x1=box[0] / size[0], y1=box[1] / size[1], x2=box[2] / size[0], y2=box[3] / size[1])


def _detect(boxes: Sequence[TrueBox], night: bool, rng: np.random.Generator) -> list[dict[str, object]]:
    """Simulated detections: boxes with jitter, less confident at night and for hidden animals."""
    detections = []
    for box, label, visible in boxes:
        jitter = rng.normal(0, 0.025, 4) * (box.width, box.height, box.width, box.height)
        x1, y1 = max(0.0, box.x1 + jitter[0]), max(0.0, box.y1 + jitter[1])
        x2, y2 = min(1.0, box.x2 + jitter[2]), min(1.0, box.y2 + jitter[3])
        if label == "empty":
            confidence = rng.uniform(0.22, 0.6)
        else:
            confidence = 0.97 - 0.35 * (1 - visible) - 0.08 * night - abs(rng.normal(0, 0.06))
        detections.append(
            {
                "category": "1",
                "conf": round(float(np.clip(confidence, 0.22, 0.99)), 3),
                "bbox": [round(value, 4) for value in (x1, y1, x2 - x1, y2 - y1)],
            }
        )
    return sorted(detections, key=lambda detection: -float(str(detection["conf"])))


def _write_results(path: Path, images: Sequence[dict[str, object]]) -> None:
    results = {
        "info": {"format_version": "1.6", "detector": "wildloop-scenes"},
        "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
        "images": images,
    }
    path.write_text(json.dumps(results, indent=1) + "\n")
