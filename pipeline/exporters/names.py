"""The names of photographs in a file that lists each once."""

from __future__ import annotations

from pipeline.exporters.source import ExportReport
from pipeline.records import ImageRecord


def free_name(image: ImageRecord, taken: set[int], report: ExportReport) -> str | None:
    """The photograph's file name, its full path where another has that name; None where that is taken too.

    `taken` are hashes of the names given so far: small, and enough to tell names apart.
    """
    for name in (image.file_name, image.path):
        if hash(name) not in taken:
            taken.add(hash(name))
            if name != image.file_name:
                report.note("photographs named by their full path: another has the same file name")
            return name
    report.note("photographs left out: another of the same file name and path is written")
    return None
