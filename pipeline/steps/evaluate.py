"""A dataset's crops -> how well each embedder keeps their species apart: a table, evaluation.csv and maps."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
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
from pipeline.evaluation.dataset_folder import Crop
from pipeline.evaluation.partition import Part, Partition, partition
from pipeline.evaluation.probe import LABELS, judged_rows, probe
from pipeline.evaluation.retrieval import NEIGHBOURS, Retrieval, Rows, retrieval
from pipeline.exporters.draft import draft_file, refused
from pipeline.images import Photo, read_file
from pipeline.simulation.summary import aligned

BATCH = 64  # crops decoded and embedded at once
DECODERS = 4  # threads; Pillow decodes without holding the interpreter
SHOWN = 5  # broken crops named one by one
CSV = "evaluation.csv"

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one embedder on one part."""

    embedder: str
    spec: str
    dimension: int
    held_out: str  # locations or species
    found: Retrieval
    probes: list[float | None]  # at LABELS
    judged: int  # crops that the probes are judged on


@dataclass(kw_only=True)
class _Embedded:
    """What one embedder made of the crops."""

    embedder: str
    spec: str
    vectors: Vectors  # (N, D); rows of broken crops mean nothing
    broken: dict[int, str] = field(default_factory=dict)  # row: why


def evaluate(
    dataset: Path, specs: Sequence[str], *, data_dir: Path, out: Path | None = None, progress: bool = False
) -> str:
    """Embed the labelled crops of the folder `dataset` with each of `specs`, and tell the figures in words.

    With `out`, evaluation.csv and a map for each embedder are written there, each whole or not at all. A
    crop that cannot be read is left out for all. Raises SourceError where the dataset cannot be used,
    EmbedderError where an embedder cannot, and ExportError where the disk refuses.
    """
    for spec in specs:
        parse(spec)  # a slip in the last is told before the first has run
    listed = dataset_folder.read(dataset)
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise refused(out, exc) from exc
    done: dict[str, _Embedded] = {}
    for spec in specs:
        embedder = load(spec, data_dir=data_dir)
        if embedder.id not in done:
            done[embedder.id] = _embedded(embedder, spec, dataset, listed.crops, progress=progress)
        del embedder  # a large network makes room for the next
    broken = {row: why for one in done.values() for row, why in one.broken.items()}
    good = np.array([row for row in range(len(listed.crops)) if row not in broken], np.intp)
    if not len(good):
        raise SourceError(
            f"no crop of {dataset} can be read: {broken[0]}",
            remedy="run `wildloop dataset make` on it again",
        )
    crops = [listed.crops[row] for row in good]
    parts = partition(crops)
    rows = []
    for one in done.values():
        one.vectors = one.vectors[good]
        rows += list(_judged(one, parts))
    files = [] if out is None else _write(out, rows, list(done.values()), parts)
    told = [_heading(dataset, parts, listed.left_out), "", *_table(rows)]
    if parts.few is None:
        told += ["", f"{len(parts.names)} species are too few to hold some out"]
    if broken:
        told += ["", f"{len(broken)} crops could not be read and are left out:"]
        told += [f"  {listed.crops[row].file_name}: {broken[row]}" for row in sorted(broken)[:SHOWN]]
    return "\n".join([*told, *([""] if files else []), *map(str, files)])


def _embedded(embedder: Embedder, spec: str, folder: Path, crops: list[Crop], *, progress: bool) -> _Embedded:
    vectors = np.zeros((len(crops), embedder.dimension), np.float32)
    done = _Embedded(embedder=embedder.id, spec=spec, vectors=vectors)
    with (
        tqdm(total=len(crops), desc=embedder.id, unit="crop", disable=None if progress else True) as bar,
        ThreadPoolExecutor(DECODERS, thread_name_prefix="decode") as threads,
    ):
        for start in range(0, len(crops), BATCH):
            names = [folder / crop.file_name for crop in crops[start : start + BATCH]]
            images: dict[int, Image.Image] = {}
            for row, found in enumerate(threads.map(_decoded, names), start):
                if isinstance(found, PhotoError):
                    done.broken[row] = str(found)
                else:
                    images[row] = found
            if images:
                vectors[list(images)] = embedder.embed(list(images.values()))
            bar.update(len(names))
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise EmbedderError(
            f"{spec} makes numbers that are not finite, first of {crops[row].file_name}",
            remedy="check its weights and preprocessing",
        )
    return done


def _decoded(path: Path) -> Image.Image | PhotoError:
    try:
        return Photo(read_file(path)).pixels()
    except PhotoError as exc:
        return exc


def _judged(one: _Embedded, parts: Partition) -> Iterator[Row]:
    for held_out, part in (("locations", parts.places), ("species", parts.few)):
        if part is not None:
            yield Row(
                embedder=one.embedder,
                spec=one.spec,
                dimension=one.vectors.shape[1],
                held_out=held_out,
                found=retrieval(_rows(one, parts, part.queries), _rows(one, parts, part.gallery)),
                probes=[_probe(one, parts, part, labels) for labels in LABELS],
                judged=len(judged_rows(parts.species, part.learned, part.tested)),
            )


def _rows(one: _Embedded, parts: Partition, rows: npt.NDArray[np.intp]) -> Rows:
    return Rows(vectors=one.vectors[rows], species=parts.species[rows], sequences=parts.sequences[rows])


def _probe(one: _Embedded, parts: Partition, part: Part, labels: int) -> float | None:
    return probe(
        one.vectors,
        parts.species,
        parts.sequences,
        parts.locations,
        learned=part.learned,
        tested=part.tested,
        labels=labels,
    )


def _heading(dataset: Path, parts: Partition, left_out: int) -> str:
    few = f"; {len(parts.few_species)} species held out" if parts.few else ""
    rest = f"; {left_out} images without one species left out" if left_out else ""
    return (
        f"{dataset}: {len(parts.species)} crops of {len(parts.names)} species, "
        f"{len(parts.places.queries)} in the test part (by {parts.by}){few}{rest}"
    )


def _table(rows: list[Row]) -> Iterator[str]:
    retrieved = ["queries", "recall@1", "mAP@R", f"k-NN|k = {NEIGHBOURS}"]
    probes = [f"probe|{labels:,} labels" for labels in LABELS]
    body = []
    for row in rows:
        figures = [_text(one) for one in _figures(row)]
        body.append(
            [
                row.embedder,
                row.held_out,
                f"{row.found.queries:,}",
                *figures[:3],
                f"{row.judged:,}",
                *figures[3:],
            ]
        )
    return aligned(["embedder", "held out", *retrieved, "probe|judged on", *probes], body)


def _figures(row: Row) -> list[float | None]:
    return [row.found.recall_at_1, row.found.map_at_r, row.found.knn, *row.probes]


def _text(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.3f}"


def _write(out: Path, rows: list[Row], done: list[_Embedded], parts: Partition) -> list[Path]:
    """evaluation.csv and the maps; returns their paths."""
    with draft_file(out / CSV) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        probes = [f"probe_{labels}" for labels in LABELS]
        figures = ["recall_at_1", "map_at_r", f"knn_{NEIGHBOURS}", *probes]
        writer.writerow(
            ["embedder", "spec", "dimension", "held_out", "split_by", "queries", "judged", *figures]
        )
        for row in rows:
            cells: list[Any] = ["" if one is None else f"{one:.6f}" for one in _figures(row)]
            about = [row.embedder, row.spec, row.dimension, row.held_out, parts.by]
            writer.writerow([*about, row.found.queries, row.judged, *cells])
    shown = scatter.chosen(len(parts.species))
    written = [out / CSV]
    for one in done:
        places = scatter.layout(one.vectors[shown])
        title = f"{one.embedder}: {len(shown):,} crops"
        with draft_file(out / f"map-{one.embedder}.png") as draft:
            draft.write_bytes(scatter.png(places, parts.species[shown], parts.names, title))
        written.append(out / f"map-{one.embedder}.png")
    return written
