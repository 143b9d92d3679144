"""A labelled pool -> every strategy's learning curve: curves.csv, curves.png and report.html."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.acquisition.round import Strategy
from pipeline.errors import ModelError, SettingsError
from pipeline.files.atomic import atomic_file, write_error
from pipeline.simulation.curve import COLUMNS, table
from pipeline.simulation.labelled_pool import LabelledPool, labelled_pool
from pipeline.simulation.page import page
from pipeline.simulation.plot import png
from pipeline.simulation.replay import Schedule
from pipeline.simulation.strategies import STRATEGIES
from pipeline.simulation.study import Study, study
from pipeline.simulation.summary import aligned, summary
from pipeline.steps.learning.schedule import new_labels_wanted
from pipeline.steps.learning.training_set import read_training_set
from pipeline.store import projects
from pipeline.workspace import Workspace

ROUND = 20  # labels before the first head, and at least from one to the next
FILES = ("curves.csv", "curves.png", "report.html")


def simulate(
    pool: LabelledPool,
    strategies: Mapping[str, Strategy],
    *,
    seeds: int,
    budget: int,
    out: Path,
    processes: int,
    progress: bool = False,
) -> str:
    """Replay the strategies on the pool, write `FILES` to the folder `out`, and sum up in words.

    Labels come in the rounds in which a project is trained. Each file is there whole or not at all.
    Raises SourceError where the pool cannot be split, and FileError where the disk refuses.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise write_error(out, exc) from exc
    schedule = Schedule(first=ROUND, wanted=partial(new_labels_wanted, retrain_every=ROUND), budget=budget)
    result = study(pool, strategies, seeds=seeds, schedule=schedule, processes=processes, progress=progress)
    _write(result, out)
    found = summary(result)
    crops = f"{len(pool)} crops of {len(pool.names)} species"
    spread = f"means over {seeds} seeds [95 % interval]" if seeds > 1 else "one seed: no interval"
    lines = [
        f"{pool.source}: {crops}, tested by {result.splits[0].by}; {spread}",
        "",
        *aligned(found.header(), list(found.cells())),
        "",
        *(str(out / name) for name in FILES),
    ]
    return "\n".join(lines)


def chosen(names: Sequence[str]) -> dict[str, Strategy]:
    """The strategies of these names, each once. Raises SettingsError, which lists those there are."""
    unknown = [name for name in names if name not in STRATEGIES]
    if unknown or not names:
        what = f"there is no strategy {', '.join(map(repr, unknown))}" if unknown else "no strategy is named"
        raise SettingsError(what, remedy=f"choose from {', '.join(STRATEGIES)}")
    return {name: STRATEGIES[name] for name in names}


def stored_pool(workspace: Workspace, project_id: int) -> LabelledPool:
    """Every labelled crop of the project that is embedded. Raises ModelError where there is none."""
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
    pool = workspace.pool(project.embedder)
    with workspace.database.read() as conn:
        crops = read_training_set(conn, pool, project_id, with_audit=True)
    if not crops.ids:
        raise ModelError(
            "no labelled crop is embedded yet", remedy="label crops of the project, or name a POOL.npz"
        )
    places = [crops.places[crop] for crop in crops.ids]
    return labelled_pool(
        f"project {project.id} ({project.title})",
        pool.rows(crops.ids),
        np.array([crops.names[crops.labels[crop]] for crop in crops.ids]),
        sequences=np.array([place.sequence for place in places]),
        locations=np.array([place.location or "" for place in places]),
    )


def _write(result: Study, out: Path) -> None:
    picture = png(result)
    with atomic_file(out / "curves.csv") as draft, draft.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows(table(result.curves))
    with atomic_file(out / "curves.png") as draft:
        draft.write_bytes(picture)
    with atomic_file(out / "report.html") as draft:
        draft.write_text(page(result, picture), encoding="utf-8")
