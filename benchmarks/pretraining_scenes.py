"""A rendered dataset to train an embedder on, and another one to use it on.

    WILDLOOP_DATA_DIR=DATA python benchmarks/pretraining_scenes.py OUT

Renders invented species at invented places, and the demo's species at the demo's places by other cameras;
imports both into the store of the data folder, with their true labels, in the roles pretraining and target;
and makes the dataset folders OUT/pretraining and OUT/target. You can kill it and run it again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import invented_scenes
from importers.ingest.source_image import ImportOptions
from importers.sources.coco import import_coco
from pipeline.demo.scenes.habitats import HABITATS, Habitat
from pipeline.demo.scenes.scene_set import SceneSet, render
from pipeline.demo.scenes.species import SPECIES, Species
from pipeline.demo.truth import read_truth
from pipeline.records import EMPTY, Role
from pipeline.settings import Settings, child_environ
from pipeline.steps.datasets.dataset import Selection, make
from pipeline.workspace import Workspace, open_workspace

SIZE = (960, 720)  # pixels of a photograph
CROP_SIDE = 256  # pixels at most: networks read no more
PLACES = 5  # that one process renders at a time
SPECIES_SEED, TARGET_SEED = 7, 2024  # the demo renders from seed 11


@dataclass(frozen=True, kw_only=True)
class Part:
    """A few cameras of one of the two sets."""

    role: Role
    number: int
    photographs: int
    seed: int
    species: tuple[Species, ...]
    habitats: tuple[Habitat, ...]

    def render(self, folder: Path) -> SceneSet:
        return render(
            folder / self.role.value / f"part-{self.number:02d}",
            photographs=self.photographs,
            seed=self.seed,
            size=SIZE,
            species=self.species,
            habitats=self.habitats,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--data", type=Path, help="data folder (default: WILDLOOP_DATA_DIR)")
    parser.add_argument("--photographs", type=int, default=6000, help="of the pretraining dataset")
    parser.add_argument("--species", type=int, default=24, help="of the pretraining dataset")
    parser.add_argument("--places", type=int, default=40, help="of the pretraining dataset")
    parser.add_argument("--target-photographs", type=int, default=1500)
    given = parser.parse_args()
    environ = child_environ({} if given.data is None else {"WILDLOOP_DATA_DIR": str(given.data)})
    settings = Settings.from_environ(environ)
    scenes = given.out / "scenes"
    target = Part(
        role=Role.TARGET, number=0, photographs=given.target_photographs, seed=TARGET_SEED,
        species=SPECIES, habitats=HABITATS,
    )  # fmt: skip
    parts = [target, *pretraining(given.photographs, given.species, given.places)]
    with ProcessPoolExecutor() as pool:
        surveys = list(pool.map(Part.render, parts, [scenes] * len(parts)))
    workspace = open_workspace(settings)
    for role in (Role.PRETRAINING, Role.TARGET):
        own = [survey for part, survey in zip(parts, surveys, strict=True) if part.role is role]
        bring_in(workspace, own, scenes / role.value, given.out / role.value, role)


def pretraining(photographs: int, species: int, places: int) -> list[Part]:
    """The pretraining dataset, a few places at a time; it does not depend on the number of processors."""
    kinds, habitats = (
        invented_scenes.species(species, SPECIES_SEED),
        invented_scenes.habitats(places, SPECIES_SEED),
    )
    starts = range(0, places, PLACES)
    return [
        Part(
            role=Role.PRETRAINING,
            number=number,
            photographs=photographs * min(start + PLACES, places) // places - photographs * start // places,
            seed=SPECIES_SEED + 100 * number,  # not closer: each camera of a part adds its number
            species=kinds,
            habitats=habitats[start : start + PLACES],
        )
        for number, start in enumerate(starts)
    ]


def bring_in(workspace: Workspace, surveys: Sequence[SceneSet], photos: Path, out: Path, role: Role) -> None:
    """Import the surveys, which lie below `photos`, and make their dataset in `out`."""
    path = photos / f"rendered-{role.value}.json"
    path.write_text(json.dumps(coco(surveys, photos)))
    options = ImportOptions(role=role, crop_side=CROP_SIDE)
    report = import_coco(workspace, [path], str(photos), None, options=options, progress=True)
    print(report)
    print(make(workspace, out, Selection(roles=(role,)), progress=True))


def coco(surveys: Sequence[SceneSet], photos: Path) -> dict[str, object]:
    """The truth as a COCO Camera Traps file; times and sequences come from the photographs."""
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    numbers = {EMPTY: 0}
    for survey in surveys:
        below = survey.photos.relative_to(photos).as_posix()
        for name, labels in read_truth(survey.truth).by_photo.items():
            id_ = f"{below}/{name}"
            images.append(
                {
                    "id": id_,
                    "file_name": id_,
                    "width": SIZE[0],
                    "height": SIZE[1],
                    "location": name.split("/")[0],
                }
            )
            animals = [(box, label) for box, label in labels if label != EMPTY]
            for box, label in animals or [(None, EMPTY)]:
                annotation: dict[str, object] = {
                    "id": f"{len(annotations)}",
                    "image_id": id_,
                    "category_id": numbers.setdefault(label, len(numbers)),
                }
                if box is not None:
                    annotation["bbox_relative"] = [box.x1, box.y1, box.width, box.height]
                annotations.append(annotation)
    return {
        "info": {"version": "1", "description": "rendered scenes"},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": label} for label, number in numbers.items()],
    }


if __name__ == "__main__":
    main()
