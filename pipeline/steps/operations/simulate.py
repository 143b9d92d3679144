"""A labelled pool -> learning curves of strategies and of ways to ask: a table, pictures and a page."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.acquisition.round import Strategy
from pipeline.errors import ModelError, SettingsError
from pipeline.files.atomic import atomic_file, write_error
from pipeline.simulation.asking_summary import AskingSummary, asking_summary
from pipeline.simulation.curve import COLUMNS, table
from pipeline.simulation.labelled_pool import LabelledPool, labelled_pool
from pipeline.simulation.page import page
from pipeline.simulation.plot import png, presses_png
from pipeline.simulation.replay import Schedule
from pipeline.simulation.strategies import STRATEGIES
from pipeline.simulation.study import Study, study
from pipeline.simulation.summary import Summary, summary
from pipeline.steps.learning.schedule import new_labels_wanted
from pipeline.steps.learning.training_set import read_training_set
from pipeline.store import projects
from pipeline.workspace import Workspace

ROUND = 20  # labels before the first head, and the fewest between two heads
FILES = ("curves.csv", "curves.png", "presses.png", "report.html")


@dataclass(frozen=True, kw_only=True)
class SimulationResult:
    """The strategies compared, and the ways to ask."""

    study: Study  # the replays themselves
    summary: Summary  # the strategies side by side
    asking: AskingSummary  # the ways to ask side by side
    files: tuple[Path, ...]  # that were written


def simulate(
    pool: LabelledPool,
    strategies: Mapping[str, Strategy],
    *,
    seeds: int,
    budget: int,
    out: Path,
    processes: int,
    progress: bool = False,
) -> SimulationResult:
    """Replay each strategy on the pool, once for each seed, and write `FILES` to the folder `out`.

    Each replay labels `budget` crops, in rounds as long as those of a project. One strategy is also asked in
    sequences and on boards, until as many keys are pressed. Each file is written whole
    or not at all. Raises SourceError if the pool cannot be split, and FileError if a file cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise write_error(out, exc) from exc
    schedule = Schedule(first=ROUND, wanted=partial(new_labels_wanted, retrain_every=ROUND), budget=budget)
    replays = study(pool, strategies, seeds=seeds, schedule=schedule, processes=processes, progress=progress)
    _write(replays, out)
    return SimulationResult(
        study=replays,
        summary=summary(replays),
        asking=asking_summary(replays),
        files=tuple(out / name for name in FILES),
    )


def chosen(names: Sequence[str]) -> dict[str, Strategy]:
    """The strategies of these names, each once. Raises SettingsError, which lists all strategies."""
    unknown = [name for name in names if name not in STRATEGIES]
    if unknown or not names:
        what = f"there is no strategy {', '.join(map(repr, unknown))}" if unknown else "no strategy is named"
        raise SettingsError(what, remedy=f"choose from {', '.join(STRATEGIES)}")
    return {name: STRATEGIES[name] for name in names}


def stored_pool(workspace: Workspace, project_id: int) -> LabelledPool:
    """Every labelled and embedded crop of the project. Raises ModelError if there is none."""
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


def _write(replays: Study, out: Path) -> None:
    picture, presses_picture = png(replays), presses_png(replays)
    with atomic_file(out / "curves.csv") as draft, draft.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows(table([*replays.curves, *replays.grouped]))
    for name, content in (("curves.png", picture), ("presses.png", presses_picture)):
        with atomic_file(out / name) as draft:
            draft.write_bytes(content)
    with atomic_file(out / "report.html") as draft:
        draft.write_text(page(replays, picture, presses_picture), encoding="utf-8")
