"""A SpeciesNet results file, read as a stream: its predictions one by one, in its old and its new format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from importers.ingest.repeated_names import FirstRecords, NameCounter
from importers.ingest.report import ImportReport
from importers.reading.classes import class_of
from importers.reading.image_root import ImageRoot
from importers.reading.json_file import items, section
from importers.reading.paths import as_text
from importers.sources.speciesnet.answers import answer_of, answers_in
from pipeline.errors import SourceError
from pipeline.records import Taxon

_REMEDY = "use the JSON that SpeciesNet writes with --predictions_json"


@dataclass(frozen=True, kw_only=True)
class Results:
    """A valid results file; its predictions are checked while they are read."""

    path: Path
    photographs: int
    repeated: frozenset[int]  # hashes of names that may be listed more than once
    taxa: Sequence[Taxon]  # of all answers


class Prediction(NamedTuple):
    """One element of `predictions`, the first of its photograph."""

    where: str  # its place, for messages
    source_name: str  # in the file
    name: str  # below --images
    element: Mapping[str, Any]


def check(path: Path, root: ImageRoot) -> Results:
    """Read the file whole. Raises SourceError if it is not a results file.

    `root` tells which names are of one photograph.
    """
    names = NameCounter()
    taxa: dict[str, Taxon] = {}
    classes: set[str] = set()
    number = 0
    for number, element in enumerate(items(path, "predictions"), start=1):  # noqa: B007 - counted
        if not isinstance(element, dict):
            continue
        name = element.get("filepath")
        if isinstance(name, str):
            names.add(root.name_of(name))
        for given in answers_in(element):
            answer = answer_of(given)
            if answer is None or answer.text in classes:
                continue
            classes.add(answer.text)
            taxon = class_of(answer.text).taxon_by(provenance(path, version_of(element)))
            if taxon is not None:
                taxa.setdefault(taxon.category, taxon)
    if not number:
        raise _not_results(path)
    return Results(
        path=path,
        photographs=number,
        repeated=names.repeated(),
        taxa=tuple(taxa.values()),
    )


def predictions(results: Results, root: ImageRoot, report: ImportReport) -> Iterator[Prediction]:
    """The predictions that name a photograph, the first for each; the others go to `report`."""
    firsts = FirstRecords(results.repeated, report)
    for number, element in enumerate(items(results.path, "predictions")):
        source_name = element.get("filepath") if isinstance(element, dict) else None
        if not isinstance(source_name, str) or not source_name:
            report.refuse(
                f"prediction {number}", "without a file name", "it needs `filepath`, the photograph's name"
            )
            continue
        name = root.name_of(source_name)
        if not firsts.is_first(name, source_name):
            continue
        yield Prediction(f"prediction {number} ({as_text(source_name)})", source_name, name, element)


def version_of(element: Mapping[str, Any]) -> str:
    """The version of the model that made a prediction; empty if it is not named."""
    version = element.get("model_version")
    return as_text(version).strip() if isinstance(version, str) else ""


def provenance(path: Path, version: str) -> str:
    """The source of labels and taxa: the version of the model, else the file."""
    return f"speciesnet:{version or as_text(path.stem)}"


def _not_results(path: Path) -> SourceError:
    if section(path, "images") is not None:
        return SourceError(
            f"{path} has no `predictions`, but `images`",
            remedy="this is MegaDetector's format: `wildloop import megadetector --classifications` reads it",
        )
    return SourceError(f"{path} has no list `predictions`", remedy=_REMEDY)
