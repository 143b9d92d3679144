"""The labelled crops to train an embedder on: those of a dataset folder, or those of the store."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import SourceError
from pipeline.evaluation import dataset_folder
from pipeline.evaluation.dataset_folder import Crop
from pipeline.evaluation.partition import held_out_species
from pipeline.records import EMPTY
from pipeline.steps.datasets.dataset import DatasetReport, Selection, choose
from pipeline.store import audits, categories
from pipeline.store.labelled import crops_by_image
from pipeline.workspace import Workspace


def of_folder(folder: Path, *, hold_out_species: bool = False) -> list[Crop]:
    """The crops of train.json, with file names below the folder; those of test.json are for evaluation.

    `hold_out_species` leaves out the species that `evaluate` holds out. Raises SourceError if no crop is
    left, or if the folder is not a dataset.
    """
    crops = dataset_folder.read(folder).crops
    left_out = set(held_out_species([crop.species for crop in crops]) if hold_out_species else ())
    taken = [crop for crop in crops if not crop.tested and crop.species not in left_out]
    if not taken:
        raise SourceError(f"{folder} has no crop to learn from", remedy="see its train.json")
    return taken


def of_store(workspace: Workspace, selection: Selection) -> list[Crop]:
    """The crops that `dataset.make` would take, without `empty` crops and those of any audit.

    File names are below the data folder. Raises SourceError if no crop is left.
    """
    left_out = DatasetReport(path="")
    with workspace.database.read() as conn:
        names = categories.names(conn)
        audited = audits.drawn_ids(conn)
        labelled = crops_by_image(conn, selection.roles, weak=selection.weak)
        crops = [
            Crop(
                file_name=str(crop.crop_path),
                species=names[crop.category_id],
                sequence=f"photograph {crop.image_id}" if crop.seq_id is None else f"sequence {crop.seq_id}",
                location=crop.location,
                tested=False,
            )
            for crop, _ in choose(labelled, workspace.data_dir, selection, left_out)
            if names[crop.category_id] != EMPTY and crop.id not in audited
        ]
    if not crops:
        pools = " or ".join(role.value for role in selection.roles)
        raise SourceError(
            f"there is no labelled crop in the pool {pools}",
            remedy="import labelled photographs with --role pretraining",
        )
    return crops
