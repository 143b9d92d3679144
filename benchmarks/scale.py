"""Import of a million photographs: a COCO Camera Traps file and a MegaDetector file, without pixels.

    python benchmarks/scale.py [--images 1000000] [--format coco|megadetector] [--store sqlite|postgresql]

For each format and store: the import into an empty store, with photographs a second and peak memory of the
importing process, then the same import again, when nothing is new. For comparison, in the same run: ijson
reading the file and doing nothing else, which is the least that any importer can take.

PostgreSQL is the one at WILDLOOP_TEST_POSTGRES (127.0.0.1:5432); a database is created and dropped.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import ijson
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

POSTGRES = os.environ.get("WILDLOOP_TEST_POSTGRES", "postgresql+psycopg2://postgres@127.0.0.1:5432/postgres")
BOXES = 1.5  # per photograph
SPECIES = [f"species {number}" for number in range(48)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--format", choices=["coco", "megadetector"], action="append")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--run", nargs=4, metavar=("FORMAT", "FILE", "URL", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run(*given.run)
        return
    with tempfile.TemporaryDirectory() as folder:
        print("| format | store | ijson alone | import | photographs/s | of ijson | rerun | peak memory |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for form in given.format or ["coco", "megadetector"]:
            path = Path(folder) / f"{form}.json"
            (write_coco if form == "coco" else write_megadetector)(path, given.images)
            began = time.monotonic()
            with path.open("rb") as file:
                count = sum(1 for _ in ijson.items(file, "images.item", use_float=True))
            alone = time.monotonic() - began
            assert count == given.images
            for store in given.store or ["sqlite", "postgresql"]:
                first, again, peak = measure(form, path, store, Path(folder))
                rate = given.images / first
                print(
                    f"| {form} | {store} | {alone:.1f} s | {first:.1f} s | {rate:,.0f} | "
                    f"{first / alone:.1f} x | {again:.1f} s | {peak:.2f} GiB |",
                    flush=True,
                )


def measure(form: str, path: Path, store: str, folder: Path) -> tuple[float, float, float]:
    """Seconds of a first and a second import, and the larger peak memory in GiB."""
    if store == "sqlite":
        database = folder / f"{form}.db"
        runs = [child(form, path, f"sqlite:///{database}", folder) for _ in range(2)]
        database.unlink()
    else:
        name = f"wildloop_benchmark_{uuid.uuid4().hex[:8]}"
        admin = sa.create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
        with admin.connect() as conn:
            conn.execute(sa.text(f'CREATE DATABASE "{name}"'))
        try:
            url = sa.make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
            runs = [child(form, path, url, folder) for _ in range(2)]
        finally:
            with admin.connect() as conn:
                conn.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    return runs[0][0], runs[1][0], max(runs[0][1], runs[1][1])


def child(form: str, path: Path, url: str, folder: Path) -> tuple[float, float]:
    """One import in a separate process: seconds and peak memory in GiB."""
    command = [sys.executable, __file__, "--run", form, str(path), url, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak = done.stdout.split()[-2:]
    return float(seconds), float(peak)


def run(form: str, path: str, url: str, folder: str) -> None:
    """Import once and print seconds and peak memory in GiB."""
    from importers.ingest.source_image import ImportOptions
    from importers.sources.coco import import_coco
    from importers.sources.megadetector import import_results
    from pipeline.settings import Settings
    from pipeline.workspace import open_workspace

    workspace = open_workspace(Settings(data_dir=Path(folder), database_url=url))
    options = ImportOptions(rows_only=True)
    began = time.monotonic()
    if form == "coco":
        report = import_coco(workspace, [Path(path)], "s3://none", None, options=options)
    else:
        report = import_results(workspace, Path(path), "s3://none", options=options)
    seconds = time.monotonic() - began
    print(report)
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2)


def boxes(rng: np.random.Generator, images: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The number of boxes of each photograph (N,), and every box as x, y, width, height (B, 4)."""
    counts = rng.multinomial(round(images * BOXES), np.full(images, 1 / images))
    corners = rng.uniform(0.0, 0.6, (counts.sum(), 2))
    return counts, np.hstack([corners, rng.uniform(0.05, 0.4, corners.shape)]).round(4)


def name(number: int) -> str:
    return f"camera {number // 4000:03}/DCIM/100EK113/IMG_{number:07}.JPG"


def write_coco(path: Path, images: int) -> None:
    rng = np.random.default_rng(0)
    counts, found = boxes(rng, images)
    species = rng.integers(1, len(SPECIES) + 1, len(found))
    with path.open("w") as file:
        file.write('{"info": {"version": "1", "description": "synthetic"}, "images": [')
        for number in range(images):
            time_of_day = f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
            image = {
                "id": f"image-{number:07}",
                "file_name": name(number),
                "width": 2048,
                "height": 1536,
                "location": f"camera {number // 4000:03}",
                "datetime": f"2024-{number // 86400 % 12 + 1:02}-01 {time_of_day}",
                "seq_id": f"seq-{number // 3:07}",
                "seq_num_frames": 3,
                "frame_num": number % 3,
            }
            file.write(("," if number else "") + json.dumps(image))
        file.write('], "annotations": [')
        at = 0
        for number, count in enumerate(counts):
            for _ in range(count):
                x, y, width, height = (float(value) for value in found[at])
                annotation = {
                    "id": f"annotation-{at:07}",
                    "image_id": f"image-{number:07}",
                    "category_id": int(species[at]),
                    "bbox": [x * 2048, y * 1536, width * 2048, height * 1536],
                }
                file.write(("," if at else "") + json.dumps(annotation))
                at += 1
        kinds = [{"id": 0, "name": "empty"}, *({"id": n + 1, "name": name} for n, name in enumerate(SPECIES))]
        file.write(f'], "categories": {json.dumps(kinds)}}}')


def write_megadetector(path: Path, images: int) -> None:
    rng = np.random.default_rng(0)
    counts, found = boxes(rng, images)
    confidence = rng.uniform(0.2, 1.0, len(found)).round(3)
    at = 0
    with path.open("w") as file:
        file.write('{"info": {"format_version": "1.5", "detector": "synthetic"}, ')
        file.write('"detection_categories": {"1": "animal", "2": "person", "3": "vehicle"}, "images": [')
        for number, count in enumerate(counts):
            detections = [
                {"category": "1", "conf": float(confidence[row]), "bbox": found[row].tolist()}
                for row in range(at, at + count)
            ]
            at += count
            file.write(("," if number else "") + json.dumps({"file": name(number), "detections": detections}))
        file.write("]}")


if __name__ == "__main__":
    main()
