"""Learning curves as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from pipeline.simulation.curve import Curve
from pipeline.simulation.study import Study
from pipeline.simulation.summary import BASELINE

PANELS = {
    "macro_f1": "Macro-F1",
    "accuracy": "Accuracy",
    "rare_recall": "Recall of rare species",
    "classes_seen": "Species seen",
}
# Okabe and Ito, Color Universal Design (2008), without its yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)))
BASELINE_LOOK = ("#222222", (0, (1, 1)))
LEGEND_COLUMNS = 5


def png(study: Study) -> bytes:
    """Four panels against labels: the mean over seeds, in a band of one standard deviation."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    legend_rows = -(-len(study.strategies) // LEGEND_COLUMNS)
    figure = Figure(
        figsize=(11, 7.6 + 0.25 * legend_rows), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    )
    FigureCanvasAgg(figure)
    looks = _looks(study.strategies)
    for axes, (name, title) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        for strategy in study.strategies:
            labels, values = _together(study.of(strategy), name)
            mean, spread = values.mean(axis=0), values.std(axis=0, ddof=min(1, len(values) - 1))
            colour, dash = looks[strategy]
            low = np.maximum(0, mean - spread)
            axes.fill_between(labels, low, mean + spread, color=colour, alpha=0.12, linewidth=0)
            axes.plot(
                labels,
                mean,
                color=colour,
                linestyle=dash,
                linewidth=1.8,
                marker="o" if len(labels) == 1 else None,
                label=strategy,
            )
        axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
        axes.set_xlabel("labels")
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        if name == "classes_seen":
            most = float(np.mean([one.open_species for one in study.splits]))
            axes.axhline(most, color="#999999", linewidth=0.8)
            axes.annotate(
                "all", (1, most), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="#666666"
            )
            axes.set_ylim(0, 1.1 * most)
            axes.yaxis.get_major_locator().set_params(integer=True)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False, handlelength=3
    )
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=150)
    return file.getvalue()


def _looks(strategies: Sequence[str]) -> dict[str, tuple[str, str | tuple[int, tuple[float, ...]]]]:
    """A colour and a dash for each strategy; the baseline is dotted."""
    free = ((colour, dash) for dash, colour in product(DASHES * len(strategies), COLOURS))
    return {name: BASELINE_LOOK if name == BASELINE else next(free) for name in strategies}


def _together(curves: Sequence[Curve], name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Labels (R,) that every curve has reached, and the values (S, R) of each curve there."""
    last = min(curve.labels[-1] for curve in curves)
    labels = np.array(sorted({one for curve in curves for one in curve.labels if one <= last}), np.float64)
    return labels, np.array([np.interp(labels, curve.labels, curve.values(name)) for curve in curves])
