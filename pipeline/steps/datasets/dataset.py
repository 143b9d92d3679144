"""Labelled crops -> a classification dataset: a folder for each class, split by location."""

from __future__ import annotations

import datetime as dt
import json
import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from tqdm import tqdm

from pipeline.arrays import Bools
from pipeline.errors import ExportError, PhotoError
from pipeline.exporters.classification import SplitFile, crop_name, folder_names, numbered
from pipeline.files import reading
from pipeline.files.atomic import atomic_file, write_error
from pipeline.identity import digest
from pipeline.images import Photo, read_file
from pipeline.records import Role
from pipeline.splits import held_out, place_name
from pipeline.steps.datasets.dataset_report import SPLITS, DatasetReport
from pipeline.store import categories
from pipeline.store.labelled import LabelledCrop, crops_by_image
from pipeline.workspace import Workspace

CONFIDENCE = 0.9  # of a box, as the ancestor had it
TEST_FRACTION = 0.2


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which labelled crops make the dataset, and how they are split."""

    roles: tuple[Role, ...] = (Role.PRETRAINING,)
    confidence: float = CONFIDENCE  # boxes above it are taken; those that people drew count as 1
    weak: bool = False  # also the labels of machines
    test_fraction: float = TEST_FRACTION  # of the crops, as nearly as whole locations allow
    seed: int = 0


class _Chosen:
    """The crops that were chosen, on the disk; of each a class, a place and a file name in memory."""

    def __init__(self, spool: IO[str], names: dict[int, str]) -> None:
        self._spool = spool
        self.names = names
        self.folders = folder_names(names.values())
        self.places: dict[str, int] = {}  # a location, or the sequence or photograph where there is none
        self.classes, self.groups, self._files = array("q"), array("q"), array("Q")

    def __len__(self) -> int:
        return len(self.classes)

    def add(self, crop: LabelledCrop, *, alone: bool) -> None:
        """Take one more; `alone`: its photograph has no other."""
        name = crop_name(crop.file_name, None if alone else crop.id)
        record = asdict(crop) | {"name": f"{self.folders[self.names[crop.category_id]]}/{name}"}
        self._spool.write(json.dumps(record, default=_as_text) + "\n")
        place = place_name(crop.location, crop.seq_id or crop.image_id)
        self.classes.append(crop.category_id)
        self.groups.append(self.places.setdefault(place, len(self.places)))
        self._files.append(_hashed(record["name"]))

    def rows(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Each crop as a record, with the number of its place; no two have the same `name`."""
        found, counts = np.unique(np.frombuffer(self._files, np.uint64), return_counts=True)
        shared = set(found[counts > 1].tolist())
        self._spool.seek(0)
        for line, file, group in zip(self._spool, self._files, self.groups, strict=True):
            record = json.loads(line)
            if file in shared:
                folder = self.folders[self.names[record["category_id"]]]
                record["name"] = f"{folder}/{crop_name(record['file_name'], record['id'])}"
            yield record, group

    def tested(self, selection: Selection) -> Bools:
        """Which places are tested on. Raises ExportError where there are fewer than two."""
        if len(self.places) < 2:
            where = ", ".join(place.partition(" ")[2] for place in self.places)
            raise ExportError(
                f"all {len(self)} crops come from one location ({where}), which cannot be split",
                remedy="import photographs of a second one, or tell them apart by --location-pattern",
            )
        classes, groups = np.frombuffer(self.classes, np.int64), np.frombuffer(self.groups, np.int64)
        return held_out(classes, groups, selection.test_fraction, selection.seed)


def make(
    workspace: Workspace,
    out: Path,
    selection: Selection | None = None,
    *,
    progress: bool = False,
) -> DatasetReport:
    """Make the dataset in the folder `out`, or bring it up to date: train.json and test.json come last.

    Crops that are there whole are not copied again; the same store and selection give the same bytes.
    Raises ExportError where there is no crop to take or all come from one location, and FileError where
    the disk refuses.
    """
    selection = selection or Selection()
    report = DatasetReport(path=str(out))
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile("w+", encoding="utf-8", dir=out) as spool:
            with workspace.database.read() as conn:
                chosen = _Chosen(spool, categories.names(conn))
                found = crops_by_image(conn, selection.roles, weak=selection.weak)
                for crop, alone in choose(found, workspace.data_dir, selection, report):
                    chosen.add(crop, alone=alone)
            if not chosen:
                raise _nothing(selection, report)
            tested = chosen.tested(selection)
            _write(chosen, tested, workspace.data_dir, out, report, progress=progress)
    except OSError as exc:
        raise write_error(out, exc) from exc
    return report


def choose(
    found: Iterable[list[LabelledCrop]], data_dir: Path, selection: Selection, report: DatasetReport
) -> Iterator[tuple[LabelledCrop, bool]]:
    """The crops to take, and whether each is the only one of its photograph; the report counts the others."""
    for crops in found:
        if len({crop.category_id for crop in crops if crop.category_id}) > 1:  # 0, empty, is no species
            report.several += 1
            continue
        sure = [crop for crop in crops if _sureness(crop) > selection.confidence]
        report.unsure += len(crops) - len(sure)
        for crop in sure:
            if crop.crop_path is None or not (data_dir / crop.crop_path).exists():
                report.missing += 1
            else:
                yield crop, len(sure) == 1


def _sureness(crop: LabelledCrop) -> float:
    return 1.0 if crop.bbox_confidence is None else crop.bbox_confidence


def _nothing(selection: Selection, report: DatasetReport) -> ExportError:
    why = [
        f"{number} {what}"
        for number, what in (
            (report.unsure, f"boxes are not above {selection.confidence}"),
            (report.several, "photographs show several species"),
            (report.missing, "crops are missing: import again, without --rows-only"),
        )
        if number
    ]
    pool = " or ".join(role.value for role in selection.roles)
    return ExportError(
        f"there is no labelled crop to take in the pool {pool}" + (f": {', '.join(why)}" if why else ""),
        remedy="see --role, --confidence and --weak",
    )


def _write(
    chosen: _Chosen, tested: Bools, data_dir: Path, out: Path, report: DatasetReport, *, progress: bool
) -> None:
    """Copy what is not there yet, then put both files in place."""
    numbers = numbered(chosen.names[one] for one in set(chosen.classes))
    places: set[tuple[str, int]] = set()
    own: set[int] = set()
    with ExitStack() as stack:
        written = {}
        for split in SPLITS:
            draft = stack.enter_context(atomic_file(out / f"{split}.json"))
            file = stack.enter_context(draft.open("w", encoding="utf-8"))
            waiting = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", dir=out))
            written[split] = SplitFile(file, waiting, f"Crops of animals to {split} a classifier", numbers)
        rows = tqdm(chosen.rows(), total=len(chosen), unit="crop", disable=None if progress else True)
        for row, group in rows:
            try:
                data = read_file(data_dir / row["crop_path"])
                photo = Photo(data)
            except PhotoError as exc:
                report.broken.append((row["crop_path"], str(exc)))
                continue
            report.copied += _copy(data, data_dir / row["crop_path"], out / row["name"])
            split = SPLITS[int(tested[group])]
            name = chosen.names[row["category_id"]]
            written[split].add(row, width=photo.width, height=photo.height, category_id=numbers[name])
            report.crops[name, split] += 1
            places.add((split, group))
            own.add(_hashed(row["name"]))
        report.places.update(split for split, _ in places)
        if not all(map(report.total, SPLITS)):
            raise ExportError(
                f"of one split no crop can be read: {report.broken[0][0]} is {report.broken[0][1]}",
                remedy="remove the broken crops and import their photographs again",
            )
        report.strangers = sum(_hashed(name) not in own for name in _crops_in(out))
        for one in written.values():
            one.end()


def _copy(data: bytes, source: Path, target: Path) -> bool:
    """Bring the crop to its place whole or not at all; False where it was there."""
    if _is_there(target, source, len(data)):
        return False
    with atomic_file(target) as draft:
        draft.write_bytes(data)
    return True


def _is_there(target: Path, source: Path, size: int) -> bool:
    """Whether a copy is whole, and of the crop as it is now."""
    there, now = reading.stat(target), reading.stat(source)
    if there is None or now is None or there.mtime is None or now.mtime is None:
        return False
    return there.size == size and there.mtime >= now.mtime


def _crops_in(out: Path) -> Iterator[str]:
    """The names of the files in the folders of classes, hidden ones left out."""
    for path, _, names in os.walk(out):
        below = Path(path).relative_to(out).as_posix()
        if below != ".":
            yield from (f"{below}/{name}" for name in names if not name.startswith("."))


def _hashed(name: str) -> int:
    """Eight bytes that tell file names apart, also where the disk does not tell capitals apart."""
    return int(digest(name.casefold(), size=8), 16)


def _as_text(moment: dt.datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")
