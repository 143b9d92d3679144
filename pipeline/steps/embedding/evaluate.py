"""A dataset's crops -> how well each embedder keeps their species apart: a table, and files."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from pipeline.embedders import Embedder, load
from pipeline.embedders.spec import parse
from pipeline.errors import EmbedderError, PhotoError, SourceError
from pipeline.evaluation import dataset_folder, scatter
from pipeline.evaluation.baselines import baselines
from pipeline.evaluation.dataset_folder import Crop
from pipeline.evaluation.partition import Partition, partition
from pipeline.files.atomic import atomic_file, write_error
from pipeline.images import Photo, read_file
from pipeline.splits import place_name
from pipeline.steps.embedding.crop_vectors import crop_vectors
from pipeline.steps.embedding.evaluation_report import COLUMNS, Row, cells, rows, table

SHOWN = 5  # broken crops named one by one
SAMPLE = 64  # crops that show untrained networks what crops look like
CSV = "evaluation.csv"


@dataclass(kw_only=True)
class _Embedded:
    """What one embedder made of the crops."""

    embedder: str
    spec: str
    manifest: Mapping[str, Any]
    vectors: npt.NDArray[np.float16]  # (N, D), as a project keeps them; rows of broken crops mean nothing
    broken: dict[int, str] = field(default_factory=dict)  # row: why

    @property
    def learned(self) -> list[str] | None:
        """The species that it was trained to tell apart; None where its manifest does not say."""
        training = self.manifest.get("training")
        classes = training.get("classes") if isinstance(training, Mapping) else None
        return [str(one) for one in classes] if isinstance(classes, list) else None

    def is_fair(self, parts: Partition) -> bool:
        """Whether the crops of test.json, and so their places, were left out of what it learned from."""
        data = self.manifest.get("training", {}).get("data", {})
        return parts.by == "test.json" and data.get("sources") == ["train.json"]


def evaluate(
    dataset: Path,
    specs: Sequence[str],
    *,
    data_dir: Path,
    out: Path | None = None,
    against_baselines: bool = True,
    progress: bool = False,
) -> str:
    """Embed the labelled crops of the folder `dataset` with each of `specs`, and tell the figures in words.

    Checkpoints are compared with what they should beat, too, unless not `against_baselines`. With `out`,
    evaluation.csv, and of each embedder a map and its vectors, are written there, each file whole or not at
    all. A crop that cannot be read is left out for all. Raises SourceError where the dataset cannot be
    used, EmbedderError where an embedder cannot, and FileError where the disk refuses.
    """
    for spec in specs:
        parse(spec)  # a slip in the last is told before the first has run
    listed = dataset_folder.read(dataset)
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise write_error(out, exc) from exc
    done: dict[str, _Embedded] = {}
    for spec in specs:
        embedder = load(spec, data_dir=data_dir)
        if embedder.id not in done:
            done[embedder.id] = _embedded(embedder, spec, dataset, listed.crops, progress=progress)
        del embedder  # a large network makes room for the next
    unavailable = []
    if against_baselines:
        manifests = [one.manifest for one in done.values()]
        for found in baselines(manifests, partial(_sample, dataset, listed.crops), data_dir=data_dir):
            if isinstance(found, EmbedderError):
                unavailable.append(str(found))
            elif found.id not in done:
                spec = str(found.manifest["spec"])
                done[found.id] = _embedded(found, spec, dataset, listed.crops, progress=progress)
            del found
    broken = {row: why for one in done.values() for row, why in one.broken.items()}
    good = np.array([row for row in range(len(listed.crops)) if row not in broken], np.intp)
    if not len(good):
        raise SourceError(
            f"no crop of {dataset} can be read: {broken[0]}",
            remedy="run `wildloop dataset make` on it again",
        )
    crops = [listed.crops[row] for row in good]
    parts = partition(crops, {name for one in done.values() for name in one.learned or ()})
    judged: list[Row] = []
    for one in done.values():
        one.vectors = one.vectors[good]
        judged += rows(one.embedder, one.spec, one.vectors, one.learned, parts)
    told = [_heading(dataset, parts, listed.left_out), "", *table(judged, parts)]
    if parts.few is None:
        told += ["", f"{len(parts.names)} species are too few to hold some out"]
    if unavailable:
        told += ["", *unavailable]
    unsure = [one.embedder for one in done.values() if one.learned and not one.is_fair(parts)]
    if unsure:
        told += ["", f"{', '.join(unsure)} may have learned from the test part: trained otherwise than by"]
        told += ["`wildloop embedding train --dataset` on a folder with both train.json and test.json"]
    if broken:
        told += ["", f"{len(broken)} crops could not be read and are left out:"]
        told += [f"  {listed.crops[row].file_name}: {broken[row]}" for row in sorted(broken)[:SHOWN]]
    files = [] if out is None else _write(out, judged, list(done.values()), crops, parts)
    return "\n".join([*told, *([""] if files else []), *map(str, files)])


def _embedded(embedder: Embedder, spec: str, folder: Path, crops: list[Crop], *, progress: bool) -> _Embedded:
    vectors = np.zeros((len(crops), embedder.dimension), np.float16)
    done = _Embedded(embedder=embedder.id, spec=spec, manifest=embedder.manifest, vectors=vectors)
    files = enumerate(folder / crop.file_name for crop in crops)
    with tqdm(total=len(crops), desc=embedder.id, unit="crop", disable=None if progress else True) as bar:
        for batch in crop_vectors(embedder, files):
            done.broken |= {row: str(error) for row, error in batch.broken}
            with np.errstate(over="ignore"):  # told below
                vectors[batch.keys] = batch.vectors
            bar.update(batch.crops)
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise EmbedderError(
            f"{spec} makes numbers that are none, or beyond float16's 65504, first of {crops[row].file_name}",
            remedy="check its weights and preprocessing",
        )
    return done


def _sample(folder: Path, crops: list[Crop]) -> list[Image.Image]:
    """Some of the crops that can be read, drawn at random."""
    drawn = np.sort(np.random.default_rng(0).permutation(len(crops))[:SAMPLE])
    found = []
    for row in drawn:
        with suppress(PhotoError):  # it is told when the crops are embedded
            found.append(Photo(read_file(folder / crops[row].file_name)).pixels())
    return found


def _heading(dataset: Path, parts: Partition, left_out: int) -> str:
    few = f"; {len(parts.few_species)} species held out" if parts.few else ""
    rest = f"; {left_out} images without one species left out" if left_out else ""
    return (
        f"{dataset}: {len(parts.species)} crops of {len(parts.names)} species, "
        f"{len(parts.places.queries)} in the test part (by {parts.by}){few}{rest}"
    )


def _write(
    out: Path, judged: list[Row], done: list[_Embedded], crops: list[Crop], parts: Partition
) -> list[Path]:
    """evaluation.csv, and the map and vectors of each; returns their paths."""
    with atomic_file(out / CSV) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(cells(row, parts.by) for row in judged)
    shown = scatter.chosen(len(parts.species))
    keys = ((crop.species, crop.sequence, place_name(crop.location, crop.sequence)) for crop in crops)
    label, group, location = (np.array(column) for column in zip(*keys, strict=True))
    written = [out / CSV]
    for one in done:
        places = scatter.layout(one.vectors[shown])
        title = f"{one.embedder}: {len(shown):,} crops"
        with atomic_file(out / f"map-{one.embedder}.png") as draft:
            draft.write_bytes(scatter.png(places, parts.species[shown], parts.names, title))
        with atomic_file(out / f"vectors-{one.embedder}.npz") as draft, draft.open("wb") as stream:
            # As `wildloop simulate` reads them.
            np.savez(stream, E=one.vectors, label=label, group=group, location=location)
        written += [out / f"map-{one.embedder}.png", out / f"vectors-{one.embedder}.npz"]
    return written
