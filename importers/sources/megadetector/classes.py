"""The classifications of a MegaDetector results file as weak labels of its boxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from importers.reading.bad_record import BadRecord
from importers.reading.classes import class_of
from importers.reading.fractions import confidence_of
from importers.reading.json_file import mapping, section, shown
from importers.reading.paths import as_text
from pipeline.records import Level, SourceLabel, Taxon


@dataclass(frozen=True, kw_only=True)
class Classes:
    """Turns the classifications of a file into weak labels."""

    names: Mapping[str, str | None]  # class id to category; None for a class that names no species
    source: str  # provenance of the labels
    annotator: str | None  # the classifier
    threshold: float  # least confidence
    taxa: tuple[Taxon, ...] = ()  # what the file says of its classes

    def labels(self, classifications: Any) -> tuple[SourceLabel, ...]:
        """The most confident classification, if it reaches the threshold and names something.

        Raises BadRecord if any classification is not as the format says.
        """
        if not classifications:
            return ()
        kind = "classifications"
        if not isinstance(classifications, list):
            raise BadRecord(kind, f"classifications {shown(classifications)} is not a list")
        best: tuple[float, str] | None = None
        for pair in classifications:
            if not isinstance(pair, list) or len(pair) != 2:
                raise BadRecord(kind, f"classification {shown(pair)} is not [class, confidence]")
            id_, conf = pair
            if not isinstance(id_, str) or id_ not in self.names:
                raise BadRecord(kind, f"class {shown(id_)} is not in classification_categories")
            try:
                sure = confidence_of(conf, "confidence")
            except BadRecord as exc:
                raise BadRecord(kind, f"class {id_}: {exc.what}") from None
            if best is None or sure > best[0]:
                best = sure, id_
        if best is None or best[0] < self.threshold:
            return ()
        category = self.names[best[1]]
        if category is None:
            return ()
        return (
            SourceLabel(
                category=category,
                source=self.source,
                level=Level.BOX,
                weak=True,
                confidence=best[0],
                annotator=self.annotator,
            ),
        )


def read_classes(path: Path, info: Mapping[str, Any], threshold: float) -> Classes:
    """The classes of a file, by its `info`, `classification_categories` and their descriptions.

    A class whose name or description is a taxonomy string is known as a taxon. Raises SourceError.
    """
    names = mapping(
        path, "classification_categories", "these boxes are not classified: import without --classifications"
    )
    given = section(path, "classification_category_descriptions")
    descriptions = given if isinstance(given, Mapping) else {}
    classifier = info.get("classifier") if isinstance(info.get("classifier"), str) else None
    source = f"megadetector:{as_text(classifier or path.stem)}"
    categories: dict[str, str | None] = {}
    taxa: dict[str, Taxon] = {}
    for id_, name in names.items():
        named = class_of(as_text(str(name)), as_text(str(descriptions.get(id_, ""))))
        categories[str(id_)] = named.category
        taxon = named.taxon_by(source)
        if taxon is not None:
            taxa.setdefault(taxon.category, taxon)
    return Classes(
        names=categories,
        source=source,
        annotator=as_text(classifier) if classifier else None,
        threshold=threshold,
        taxa=tuple(taxa.values()),
    )
