"""Labelled crops -> a classification dataset: a folder for each class, split by location."""

from __future__ import annotations

import datetime as dt
import json
import os
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
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
from pipeline.store import categories
from pipeline.store.labelled import LabelledCrop, crops_by_image
from pipeline.workspace import Workspace

SPLITS = ("train", "test")
CONFIDENCE = 0.9
TEST_FRACTION = 0.2


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which labelled crops make the dataset, and how they are split."""

    roles: tuple[Role, ...] = (Role.PRETRAINING,)
    confidence: float = CONFIDENCE  # boxes above it are taken; boxes drawn by people always are
    weak: bool = False  # take weak labels too
    test_fraction: float = TEST_FRACTION  # of the crops, as nearly as whole locations allow
    seed: int = 0


@dataclass(kw_only=True)
class DatasetReport:
    """What a dataset holds and what was left out; filled while the dataset is made."""

    path: str
    crops: Counter[tuple[str, str]] = field(default_factory=Counter)  # by class and split
    places: Counter[str] = field(default_factory=Counter)  # by split: locations, or what replaces them
    copied: int = 0  # crops copied by this run; the others existed
    several_species: int = 0  # photographs of several species, left out
    low_confidence: int = 0  # boxes that are not above the confidence, left out
    missing: int = 0  # crops without a file, left out
    broken: list[tuple[str, str]] = field(default_factory=list)  # crop files that cannot be read, and why
    unlisted: int = 0  # other files in the folders of classes

    @property
    def classes(self) -> list[str]:
        """The names of the classes, sorted."""
        return sorted({name for name, _ in self.crops})

    @property
    def one_sided(self) -> list[tuple[str, str]]:
        """The classes that only one split has, with that split."""
        splits = {name: [split for split in SPLITS if self.crops[name, split]] for name in self.classes}
        return [(name, present[0]) for name, present in splits.items() if len(present) == 1]

    def total(self, split: str) -> int:
        """How many crops a split has."""
        return sum(count for (_, own), count in self.crops.items() if own == split)


class _Chosen:
    """The crops that were chosen: on disk, with only class, place and file name of each in memory."""

    def __init__(self, spool: IO[str], names: dict[int, str]) -> None:
        self._spool = spool
        self.names = names
        self.folders = folder_names(names.values())
        self.places: dict[str, int] = {}  # a number for each location, or for what replaces it
        self.classes, self.groups, self._files = array("q"), array("q"), array("Q")

    def __len__(self) -> int:
        return len(self.classes)

    def add(self, crop: LabelledCrop, *, alone: bool) -> None:
        """Add a crop; `alone`: it is the only one of its photograph."""
        name = crop_name(crop.file_name, None if alone else crop.id)
        record = asdict(crop) | {"name": f"{self.folders[self.names[crop.category_id]]}/{name}"}
        self._spool.write(json.dumps(record, default=_as_text) + "\n")
        place = place_name(crop.location, crop.seq_id or crop.image_id)
        self.classes.append(crop.category_id)
        self.groups.append(self.places.setdefault(place, len(self.places)))
        self._files.append(_hash(record["name"]))

    def rows(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Each crop as a record, with the number of its place; no two have the same `name`."""
        hashes, counts = np.unique(np.frombuffer(self._files, np.uint64), return_counts=True)
        shared = set(hashes[counts > 1].tolist())
        self._spool.seek(0)
        for line, file, group in zip(self._spool, self._files, self.groups, strict=True):
            record = json.loads(line)
            if file in shared:
                folder = self.folders[self.names[record["category_id"]]]
                record["name"] = f"{folder}/{crop_name(record['file_name'], record['id'])}"
            yield record, group

    def tested(self, selection: Selection) -> Bools:
        """Whether each place belongs to the test split. Raises ExportError if there are fewer than two."""
        if len(self.places) < 2:
            where = ", ".join(place.partition(" ")[2] for place in self.places)
            raise ExportError(
                f"all {len(self)} crops come from one location ({where}), which cannot be split",
                remedy="import photographs of another location, or tell locations apart with "
                "--location-pattern",
            )
        classes, groups = np.frombuffer(self.classes, np.int64), np.frombuffer(self.groups, np.int64)
        return held_out(classes, groups, selection.test_fraction, selection.seed)


def make(
    workspace: Workspace, out: Path, selection: Selection | None = None, *, progress: bool = False
) -> DatasetReport:
    """Make the dataset in the folder `out`, or update it; train.json and test.json are written last.

    Crops that exist unchanged are not copied again; the same store and selection give the same bytes.
    Raises ExportError if there is no crop to take or all crops come from one location, and FileError if a
    file cannot be written.
    """
    selection = selection or Selection()
    report = DatasetReport(path=str(out))
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile("w+", encoding="utf-8", dir=out) as spool:
            with workspace.database.read() as conn:
                chosen = _Chosen(spool, categories.names(conn))
                labelled = crops_by_image(conn, selection.roles, weak=selection.weak)
                for crop, alone in choose(labelled, workspace.data_dir, selection, report):
                    chosen.add(crop, alone=alone)
            if not chosen:
                raise _nothing_to_take(selection, report)
            tested = chosen.tested(selection)
            _write(chosen, tested, workspace.data_dir, out, report, progress=progress)
    except OSError as exc:
        raise write_error(out, exc) from exc
    return report


def choose(
    labelled: Iterable[list[LabelledCrop]], data_dir: Path, selection: Selection, report: DatasetReport
) -> Iterator[tuple[LabelledCrop, bool]]:
    """The crops to take, each with whether it is the only one of its photograph.

    `labelled` are the labelled crops of each photograph. `report` counts what is left out.
    """
    for crops in labelled:
        if len({crop.category_id for crop in crops if crop.category_id}) > 1:  # 0, empty, is no species
            report.several_species += 1
            continue
        taken = [crop for crop in crops if _confidence(crop) > selection.confidence]
        report.low_confidence += len(crops) - len(taken)
        for crop in taken:
            if crop.crop_path is None or not (data_dir / crop.crop_path).exists():
                report.missing += 1
            else:
                yield crop, len(taken) == 1


def copy_crop(data: bytes, source: Path, target: Path) -> bool:
    """Write `data`, the content of `source`, to `target`, whole or not at all.

    False if `target` is an unchanged copy already. Raises FileError if it cannot be written.
    """
    if _is_copied(target, source, len(data)):
        return False
    with atomic_file(target) as draft:
        draft.write_bytes(data)
    return True


def _confidence(crop: LabelledCrop) -> float:
    """The confidence of the crop's box; 1 for a box drawn by people."""
    return 1.0 if crop.bbox_confidence is None else crop.bbox_confidence


def _nothing_to_take(selection: Selection, report: DatasetReport) -> ExportError:
    reasons = [
        f"{count} {what}"
        for count, what in (
            (report.low_confidence, f"boxes are not above {selection.confidence}"),
            (report.several_species, "photographs show several species"),
            (report.missing, "crops are missing: import again, without --rows-only"),
        )
        if count
    ]
    pool = " or ".join(role.value for role in selection.roles)
    return ExportError(
        f"there is no labelled crop to take in the pool {pool}"
        + (f": {', '.join(reasons)}" if reasons else ""),
        remedy="see --role, --confidence and --weak",
    )


def _write(
    chosen: _Chosen, tested: Bools, data_dir: Path, out: Path, report: DatasetReport, *, progress: bool
) -> None:
    """Copy the crops that are new or changed, then put both files in place."""
    numbers = numbered(chosen.names[category] for category in set(chosen.classes))
    places: set[tuple[str, int]] = set()
    listed: set[int] = set()
    with ExitStack() as stack:
        files = {}
        for split in SPLITS:
            draft = stack.enter_context(atomic_file(out / f"{split}.json"))
            file = stack.enter_context(draft.open("w", encoding="utf-8"))
            waiting = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", dir=out))
            files[split] = SplitFile(file, waiting, f"Crops of animals to {split} a classifier", numbers)
        rows = tqdm(chosen.rows(), total=len(chosen), unit="crop", disable=None if progress else True)
        for row, group in rows:
            try:
                data = read_file(data_dir / row["crop_path"])
                photo = Photo(data)
            except PhotoError as exc:
                report.broken.append((row["crop_path"], str(exc)))
                continue
            report.copied += copy_crop(data, data_dir / row["crop_path"], out / row["name"])
            split = SPLITS[int(tested[group])]
            name = chosen.names[row["category_id"]]
            files[split].add(row, width=photo.width, height=photo.height, category_id=numbers[name])
            report.crops[name, split] += 1
            places.add((split, group))
            listed.add(_hash(row["name"]))
        report.places.update(split for split, _ in places)
        if not all(map(report.total, SPLITS)):
            raise ExportError(
                f"no crop of one split can be read: {report.broken[0][0]} is {report.broken[0][1]}",
                remedy="remove the broken crops and import their photographs again",
            )
        report.unlisted = sum(_hash(name) not in listed for name in _files_in(out))
        for split_file in files.values():
            split_file.end()


def _is_copied(target: Path, source: Path, size: int) -> bool:
    """Whether `target` is a whole copy of the crop as it is now."""
    copy, original = reading.stat(target), reading.stat(source)
    if copy is None or original is None or copy.mtime is None or original.mtime is None:
        return False
    return copy.size == size and copy.mtime >= original.mtime


def _files_in(out: Path) -> Iterator[str]:
    """The names of the files in the folders of classes, without hidden ones."""
    for path, _, names in os.walk(out):
        below = Path(path).relative_to(out).as_posix()
        if below != ".":
            yield from (f"{below}/{name}" for name in names if not name.startswith("."))


def _hash(name: str) -> int:
    """Eight bytes that identify a file name, ignoring case as some file systems do."""
    return int(digest(name.casefold(), size=8), 16)


def _as_text(moment: dt.datetime) -> str:
    return moment.isoformat(sep=" ", timespec="seconds")
