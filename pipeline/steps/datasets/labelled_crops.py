"""Labelled crops to learn an embedder from: of a dataset folder, or of the store."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import SourceError
from pipeline.evaluation import dataset_folder
from pipeline.evaluation.dataset_folder import Crop
from pipeline.evaluation.partition import held_out_species
from pipeline.records import EMPTY
from pipeline.steps.datasets.dataset import Selection, choose
from pipeline.steps.datasets.dataset_report import DatasetReport
from pipeline.store import audits, categories
from pipeline.store.labelled import crops_by_image
from pipeline.workspace import Workspace


def of_folder(folder: Path, *, hold_out_species: bool = False) -> list[Crop]:
    """The crops of train.json, with file names below the folder; those of test.json are left to judge by.

    `hold_out_species` leaves out the species that `steps.evaluate` holds out. Raises SourceError.
    """
    crops = dataset_folder.read(folder).crops
    left_out = set(held_out_species([crop.species for crop in crops]) if hold_out_species else ())
    taken = [crop for crop in crops if not crop.tested and crop.species not in left_out]
    if not taken:
        raise SourceError(f"{folder} has no crop to learn from", remedy="see its train.json")
    return taken


def of_store(workspace: Workspace, selection: Selection) -> list[Crop]:
    """The crops that `dataset.make` would take, but `empty` ones and those of audits, which nothing learns.

    File names are below the data folder.

    Raises SourceError where there are none.
    """
    report = DatasetReport(path="")
    with workspace.database.read() as conn:
        names = categories.names(conn)
        audited = audits.drawn_ids(conn)
        found = choose(
            crops_by_image(conn, selection.roles, weak=selection.weak), workspace.data_dir, selection, report
        )
        crops = [
            Crop(
                file_name=str(one.crop_path),
                species=names[one.category_id],
                sequence=f"photograph {one.image_id}" if one.seq_id is None else f"sequence {one.seq_id}",
                location=one.location,
                tested=False,
            )
            for one, _ in found
            if names[one.category_id] != EMPTY and one.id not in audited
        ]
    if not crops:
        pools = " or ".join(role.value for role in selection.roles)
        raise SourceError(
            f"there is no labelled crop in the pool {pools}",
            remedy="import labelled photographs with --role pretraining",
        )
    return crops
