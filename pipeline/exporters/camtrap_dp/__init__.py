"""A Camtrap DP 1.0.2 package: a folder, or a zip of one.

The source is read twice: to find the deployments and which ids can be kept, and to write.
"""

from __future__ import annotations

import csv
import tempfile
import zipfile
from pathlib import Path

from pipeline.errors import ExportError
from pipeline.exporters.camtrap_dp.package import Package, planned
from pipeline.exporters.camtrap_dp.settings import Settings
from pipeline.exporters.source import ExportReport, ExportSource
from pipeline.files.atomic import atomic_file, atomic_folder
from pipeline.records import category_name

__all__ = ["Settings", "read_taxa", "write"]


def write(out: Path, source: ExportSource, settings: Settings | None = None) -> ExportReport:
    """Write the package: a new folder, or a zip if `out` ends in .zip. Photographs are not copied.

    Photographs without a time or a location are left out and counted. Raises ExportError if the standard
    needs what nobody said: coordinates or a time zone of a location, the sampling design, the capture
    method. Raises FileError if the disk refuses.
    """
    report = ExportReport(path=str(out))
    plan = planned(source, settings or Settings(), report)
    package = Package(source, plan, report)
    if out.suffix.lower() != ".zip":
        with atomic_folder(out) as folder:
            package.write(folder)
        return report
    with (
        atomic_file(out) as draft,
        tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as temporary,
    ):
        package.write(Path(temporary))
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(path for path in Path(temporary).rglob("*") if path.is_file()):
                archive.write(path, path.relative_to(temporary))
    return report


def read_taxa(path: Path) -> dict[str, str]:
    """Category to scientific name, from a CSV file with the columns category and scientificName.

    Raises ExportError if it is not such a file.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"category", "scientificName"} <= set(rows.fieldnames or ()):
                raise ExportError(
                    f"{path} has no columns category and scientificName",
                    remedy="add a first line with these names",
                )
            named = [(row["category"] or "", row["scientificName"] or "") for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise ExportError(f"{path} cannot be read: {exc}", remedy="save it as a CSV file in UTF-8") from exc
    return {category_name(category): name.strip() for category, name in named if name.strip()}
