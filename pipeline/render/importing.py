"""What imports report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.render.text import by_kind, count, indented, lines, printable, tally

if TYPE_CHECKING:
    from importers.ingest.report import ImportReport
    from importers.sources.coco.combine import Combined
    from importers.sources.deployments import DeploymentsReport

_ORIGINS = {  # of locations, by importers.reading.locations.Origin
    "source": "named by the source",
    "pattern": "read by --location-pattern",
    "folder": "named by the first folder of each photograph",
    "root": "named by the imported folder",
    "store": "kept from an earlier import",
}


def import_report(report: ImportReport) -> str:
    """New photographs first, then everything else that happened, and the first problems."""
    read = report.photographs + report.looked_again + report.known
    rate = read / report.seconds if report.seconds else 0.0
    return lines(
        f"{report.source}: {count(report.photographs, 'new photographs')}, "
        f"{count(report.detections, 'new detections')} in {report.seconds:.1f} s ({rate:,.0f} photographs/s)",
        indented(_counts(report)),
        _hints(report),
        _problems(report),
    )


def deployments_report(report: DeploymentsReport) -> str:
    """The deployments of a table, and the rows that were refused."""
    return lines(
        f"{report.rows.source}: {count(report.new, 'new deployments')}, "
        f"{count(report.updated, 'known deployments')} updated, at "
        f"{count(len(report.locations), 'locations')}",
        indented(
            tally(
                [
                    (
                        report.without_coordinates,
                        "deployments without coordinates: another table can bring them",
                    ),
                    (report.without_zone, "deployments without a time zone: exports will ask for it"),
                ]
            )
        ),
        indented(_counts(report.rows)),
        _problems(report.rows),
    )


def combined(report: Combined, out: str, files: int) -> str:
    """What `wildloop combine-json` wrote to `out` from so many files."""
    return lines(
        f"{out}: {count(report.images, 'images')}, {count(report.annotations, 'annotations')} and "
        f"{count(report.categories, 'categories')} from {count(files, 'files')}",
        indented(
            tally([*_unused(report), *((number, note.sentence) for note, number in report.notes.items())])
        ),
    )


def _counts(report: ImportReport) -> str:
    return tally(
        [
            (report.looked_again, "known photographs read again, for other boxes, labels or settings"),
            (report.known, "photographs imported before"),
            (report.changed, "photographs changed since an earlier import: both states are kept"),
            (report.cut, "crops cut for boxes imported before"),
            (report.labels, "new labels from the source"),
            (
                report.not_looked_at,
                "photographs without boxes: import again with --detector, or import boxes",
            ),
            (report.other_role, "photographs of the other pool (--role), left there"),
            (report.without_findings, "photographs with nothing to keep"),
            (len(report.locations), _locations(report)),
            (report.sequences, "sequences at these locations"),
            (report.without_time, "photographs without a time, so in no sequence"),
            (report.without_location, "photographs without a location"),
            (report.moved, "known photographs with a new location"),
            (
                report.left_out.total(),
                f"detections of other categories left out ({by_kind(report.left_out)})",
            ),
            (
                report.damaged.total(),
                f"damaged photographs, used up to the damage ({by_kind(report.damaged)})",
            ),
            (
                report.doubtful_years.total(),
                "photographs whose year looks like a clock never set "
                f"({', '.join(sorted(report.doubtful_years))}), "
                f"such as {printable(report.doubtful_example or '')}; the time is kept",
            ),
            (report.failed.total(), f"photographs failed ({by_kind(report.failed)})"),
            (report.refused.total(), f"records refused ({by_kind(report.refused)})"),
            *_unused(report),
            *((number, note.sentence) for note, number in report.notes.most_common()),
            (report.duplicates, "repeated entries of a photograph, not used"),
            (report.skipped.total(), f"other files skipped ({by_kind(report.skipped)})"),
            (report.hidden, "hidden items skipped"),
            (report.linked, "folders reached a second time through a link, skipped"),
            (report.unreadable_folders, "folders that cannot be read"),
        ]
    )


def _locations(report: ImportReport) -> str:
    """The first locations, each with its photographs, and where they come from."""
    first = report.first_locations
    some = ", ".join(f"{printable(location)} ({report.locations[location]:,})" for location in first)
    more = ", ..." if len(report.locations) > len(first) else ""
    named = [(_ORIGINS[origin.value], number) for origin, number in report.origins.most_common()]
    origins = " and ".join(f"{how} ({number:,})" if len(named) > 1 else how for how, number in named)
    is_guess = not {"folder", "root"}.isdisjoint(origin.value for origin in report.origins)
    change = " (to change that: --location-pattern)" if is_guess else ""
    return f"locations, {origins}: {some}{more}{change}"


def _hints(report: ImportReport) -> str:
    return f"worth a look:\n{indented(lines(*map(printable, report.hints)))}" if report.hints else ""


def _unused(report: ImportReport | Combined) -> list[tuple[int, str]]:
    """What of a file was read and left aside."""
    values, names = report.unused_values, report.unused_fields
    return [
        (sum(values.values()), f"invalid values not used ({by_kind(values)})"),
        (sum(names.values()), f"fields of the file not used ({', '.join(map(printable, names))})"),
    ]


def _problems(report: ImportReport) -> str:
    shown = lines(*(f"{printable(name)}: {problem}" for name, problem in report.examples))
    return f"first problems:\n{indented(shown)}" if shown else ""
