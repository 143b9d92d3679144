"""The plot of learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from pipeline.arrays import Doubles
from pipeline.plotting import COLOURS, DARK, GREY, new_figure, style_curves
from pipeline.plotting import png as as_png
from pipeline.simulation.asking import ASKINGS
from pipeline.simulation.curve import Curve
from pipeline.simulation.study import Study
from pipeline.simulation.summary import BASELINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = {
    "macro_f1": "Macro-F1",
    "accuracy": "Accuracy",
    "rare_recall": "Recall of rare species",
    "classes_seen": "Species seen",
}
DASHES = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)))
BASELINE_LOOK = (DARK, (0, (1, 1)))
LEGEND_COLUMNS = 5


def png(study: Study) -> bytes:
    """Four panels against labels: the mean over seeds, with a band of one standard deviation."""
    figure = _figure(study.strategies, 7.6)
    for axes, (name, title) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        _draw(axes, {strategy: study.of(strategy) for strategy in study.strategies}, name, "labels")
        style_curves(axes, title, "labels")
        if name == "classes_seen":
            most = float(np.mean([part.open_species for part in study.splits]))
            axes.axhline(most, color=GREY, linewidth=0.8)
            axes.annotate(
                "all", (1, most), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="#666666"
            )
            axes.set_ylim(0, 1.1 * most)
            axes.yaxis.get_major_locator().set_params(integer=True)
    return _with_legend(figure)


def presses_png(study: Study) -> bytes:
    """Macro-F1 of each way to ask, against labels and against key presses."""
    names = [asking.name for asking in ASKINGS]
    figure = _figure(names, 4)
    curves = {name: study.of_asking(name) for name in names}
    panels = {"labels": "labels", "presses": "key presses"}
    for axes, (by, title) in zip(figure.subplots(1, 2, sharey=True).flat, panels.items(), strict=True):
        _draw(axes, curves, "macro_f1", by)
        style_curves(axes, "Macro-F1", title)
    return _with_legend(figure)


def _figure(names: Sequence[str], height: float) -> Figure:
    legend_rows = -(-len(names) // LEGEND_COLUMNS)
    return new_figure(11, height + 0.25 * legend_rows, padding=0.12)


def _draw(axes: Axes, curves: Mapping[str, Sequence[Curve]], name: str, by: str) -> None:
    """A line and a band for each name in `curves`: the metric against `labels` or `presses`."""
    looks = _looks(list(curves))
    for label, found in curves.items():
        at, values = _together(found, name, by)
        mean, spread = values.mean(axis=0), values.std(axis=0, ddof=min(1, len(values) - 1))
        colour, dash = looks[label]
        axes.fill_between(
            at, np.maximum(0, mean - spread), mean + spread, color=colour, alpha=0.12, linewidth=0
        )
        axes.plot(
            at,
            mean,
            color=colour,
            linestyle=dash,
            linewidth=1.8,
            marker="o" if len(at) == 1 else None,
            label=label,
        )


def _with_legend(figure: Figure) -> bytes:
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False, handlelength=3
    )
    return as_png(figure, 150)


def _looks(strategies: Sequence[str]) -> dict[str, tuple[str, str | tuple[int, tuple[float, ...]]]]:
    """A colour and a dash for each strategy; the baseline is dotted."""
    free = ((colour, dash) for dash, colour in product(DASHES * len(strategies), COLOURS))
    return {name: BASELINE_LOOK if name == BASELINE else next(free) for name in strategies}


def _together(curves: Sequence[Curve], name: str, by: str) -> tuple[Doubles, Doubles]:
    """Numbers (R,) of labels or presses that every curve covers, and their values (S, R) there."""
    rounds = [getattr(curve, by) for curve in curves]
    first, last = max(each[0] for each in rounds), min(each[-1] for each in rounds)
    at = np.array(
        sorted({number for each in rounds for number in each if first <= number <= last}), np.float64
    )
    values = [np.interp(at, each, curve.values(name)) for each, curve in zip(rounds, curves, strict=True)]
    return at, np.array(values)
