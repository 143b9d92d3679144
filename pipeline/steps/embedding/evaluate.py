"""A dataset's crops -> how well each embedder keeps their species apart."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from pipeline.evaluation.results import COLUMNS, EvaluationRow, csv_cells, evaluation_rows
from pipeline.files.atomic import atomic_file, write_error
from pipeline.images import Photo, read_file
from pipeline.splits import place_name
from pipeline.steps.embedding.crop_vectors import crop_vectors

SAMPLE = 64  # crops from which untrained networks take their normalisation statistics
CSV = "evaluation.csv"


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """The embedders compared."""

    dataset: Path
    parts: Partition  # of the crops that every embedder could read
    left_out: int  # images of the dataset without exactly one species
    rows: tuple[EvaluationRow, ...]
    unavailable: tuple[str, ...]  # baselines that are missing, and why
    unfair: tuple[str, ...]  # ids of embedders that may have learned from the test part
    broken: Mapping[str, str]  # file name of a crop: why it could not be read
    files: tuple[Path, ...]  # that were written


@dataclass(kw_only=True)
class _Embedded:
    """The crops embedded by one embedder."""

    embedder: str  # id
    spec: str
    manifest: Mapping[str, Any]
    vectors: npt.NDArray[np.float16]  # (N, D), as a project stores them; rows of broken crops are zero
    broken: dict[int, str] = field(default_factory=dict)  # row: why the crop could not be read

    @property
    def learned(self) -> list[str] | None:
        """The species that it was trained on; None if its manifest does not name them."""
        training = self.manifest.get("training")
        classes = training.get("classes") if isinstance(training, Mapping) else None
        return [str(name) for name in classes] if isinstance(classes, list) else None

    def is_fair(self, parts: Partition) -> bool:
        """Whether it was trained on train.json alone, so that it never saw the places of the test part."""
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
) -> EvaluationResult:
    """Embed the labelled crops of the folder `dataset` with each of `specs`, and compare the embedders.

    Checkpoints are also compared with the baselines they should beat, unless not `against_baselines`.
    With `out`, evaluation.csv and, for each embedder, a map and its vectors are written to that folder,
    each file whole or not at all. A crop that cannot be read is left out for all embedders. Raises
    SourceError if the dataset cannot be used, EmbedderError if an embedder cannot, and FileError if a
    file cannot be written.
    """
    for spec in specs:
        parse(spec)  # report an error in the last spec before embedding with the first
    listed = dataset_folder.read(dataset)
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise write_error(out, exc) from exc
    embedded, unavailable = _embed_all(
        dataset,
        listed.crops,
        specs,
        data_dir=data_dir,
        against_baselines=against_baselines,
        progress=progress,
    )
    broken = {row: why for item in embedded for row, why in item.broken.items()}
    good = np.array([row for row in range(len(listed.crops)) if row not in broken], np.intp)
    if not len(good):
        raise SourceError(
            f"no crop of {dataset} can be read: {broken[0]}",
            remedy="run `wildloop dataset make` on it again",
        )
    crops = [listed.crops[row] for row in good]
    parts = partition(crops, {name for item in embedded for name in item.learned or ()})
    rows: list[EvaluationRow] = []
    for item in embedded:
        item.vectors = item.vectors[good]
        rows += evaluation_rows(item.embedder, item.spec, item.vectors, item.learned, parts)
    return EvaluationResult(
        dataset=dataset,
        parts=parts,
        left_out=listed.left_out,
        rows=tuple(rows),
        unavailable=tuple(unavailable),
        unfair=tuple(item.embedder for item in embedded if item.learned and not item.is_fair(parts)),
        broken={listed.crops[row].file_name: broken[row] for row in sorted(broken)},
        files=() if out is None else tuple(_write(out, rows, embedded, crops, parts)),
    )


def _embed_all(
    dataset: Path,
    crops: list[Crop],
    specs: Iterable[str],
    *,
    data_dir: Path,
    against_baselines: bool,
    progress: bool,
) -> tuple[list[_Embedded], list[str]]:
    """Embed the crops with every embedder and baseline, each once; also why baselines are missing."""
    embedded: dict[str, _Embedded] = {}
    unavailable: list[str] = []
    for spec in specs:
        embedder = load(spec, data_dir=data_dir)
        if embedder.id not in embedded:
            embedded[embedder.id] = _embed(embedder, spec, dataset, crops, progress=progress)
        del embedder  # a large network makes room for the next
    if against_baselines:
        manifests = [item.manifest for item in embedded.values()]
        for baseline in baselines(manifests, partial(_sample, dataset, crops), data_dir=data_dir):
            if isinstance(baseline, EmbedderError):
                unavailable.append(str(baseline))
            elif baseline.id not in embedded:
                spec = str(baseline.manifest["spec"])
                embedded[baseline.id] = _embed(baseline, spec, dataset, crops, progress=progress)
            del baseline
    return list(embedded.values()), unavailable


def _embed(embedder: Embedder, spec: str, folder: Path, crops: list[Crop], *, progress: bool) -> _Embedded:
    """Raises EmbedderError if a vector is not finite, or does not fit into float16."""
    vectors = np.zeros((len(crops), embedder.dimension), np.float16)
    result = _Embedded(embedder=embedder.id, spec=spec, manifest=embedder.manifest, vectors=vectors)
    files = enumerate(folder / crop.file_name for crop in crops)
    with tqdm(total=len(crops), desc=embedder.id, unit="crop", disable=None if progress else True) as bar:
        for batch in crop_vectors(embedder, files):
            result.broken |= {row: str(error) for row, error in batch.broken}
            with np.errstate(over="ignore"):  # reported below
                vectors[batch.keys] = batch.vectors
            bar.update(batch.crops)
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise EmbedderError(
            f"{spec} produces NaN, infinite values or values beyond float16's 65504, first for "
            f"{crops[row].file_name}",
            remedy="check its weights and preprocessing",
        )
    return result


def _sample(folder: Path, crops: list[Crop]) -> list[Image.Image]:
    """Some of the crops that can be read, drawn at random."""
    drawn = np.sort(np.random.default_rng(0).permutation(len(crops))[:SAMPLE])
    images = []
    for row in drawn:
        with suppress(PhotoError):  # reported when the crops are embedded
            images.append(Photo(read_file(folder / crops[row].file_name)).pixels())
    return images


def _write(
    out: Path, rows: list[EvaluationRow], embedded: list[_Embedded], crops: list[Crop], parts: Partition
) -> Iterator[Path]:
    """Write evaluation.csv, and the map and vectors of each embedder; yields their paths."""
    with atomic_file(out / CSV) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(csv_cells(row, parts.by) for row in rows)
    yield out / CSV
    shown = scatter.chosen(len(parts.species))
    keys = ((crop.species, crop.sequence, place_name(crop.location, crop.sequence)) for crop in crops)
    label, group, location = (np.array(column) for column in zip(*keys, strict=True))
    for item in embedded:
        map_path, vectors_path = out / f"map-{item.embedder}.png", out / f"vectors-{item.embedder}.npz"
        layout = scatter.layout(item.vectors[shown])
        title = f"{item.embedder}: {len(shown):,} crops"
        with atomic_file(map_path) as draft:
            draft.write_bytes(scatter.png(layout, parts.species[shown], parts.names, title))
        yield map_path
        with atomic_file(vectors_path) as draft, draft.open("wb") as stream:
            # The format of POOL.npz for `wildloop simulate`.
            np.savez(stream, E=item.vectors, label=label, group=group, location=location)
        yield vectors_path
