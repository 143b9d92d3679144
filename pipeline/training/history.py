"""A training's figures, epoch by epoch: a CSV file and a picture of its curves."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pipeline.files.atomic import atomic_file

CSV = "log.csv"
PICTURE = "curves.png"


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Figures of one epoch."""

    epoch: int  # from 1
    step: int  # steps taken until its end
    rate: float  # of learning, at its end
    loss: float  # mean over its steps
    gradient: float  # mean norm before clipping
    recall_at_1: float  # of the validation crops
    map_at_r: float
    crops_per_second: float  # but for validation
    seconds: float  # with validation
    broken: int  # crops that could not be read, each as often as it was drawn


def best(epochs: Sequence[Epoch]) -> Epoch:
    """The epoch whose weights are kept: the first of the best."""
    return max(epochs, key=lambda one: one.map_at_r)


def write(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Write both files, each completely or not at all. Raises FileError if the disk refuses."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Epoch)])
    for one in epochs:
        values = asdict(one).values()
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in values])
    for name, content in ((CSV, text.getvalue().encode()), (PICTURE, _picture(epochs))):
        with atomic_file(folder / name) as draft:
            draft.write_bytes(content)


def _picture(epochs: Sequence[Epoch]) -> bytes:
    """The loss, the validation figures and the learning rate against epochs."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = {
        "Loss": {"loss": "training"},
        "Held-out retrieval": {"recall_at_1": "recall@1", "map_at_r": "MAP@R"},
        "Learning rate": {"rate": "at the end of the epoch"},
    }
    numbers = [one.epoch for one in epochs]
    for axes, (title, lines) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        for (name, label), colour in zip(lines.items(), ("#0072B2", "#D55E00"), strict=False):
            values = [getattr(one, name) for one in epochs]
            axes.plot(numbers, values, color=colour, label=label, marker="o" if len(epochs) == 1 else None)
        axes.axvline(best(epochs).epoch, color="#999999", linewidth=0.8, label="kept")
        axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
        axes.set_xlabel("epochs")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    return picture.getvalue()
