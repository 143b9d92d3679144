"""A map of embeddings: near crops lie near each other."""

from __future__ import annotations

import io
from itertools import product

import numpy as np
import numpy.typing as npt

CAP = 2000  # crops on a map
# Okabe and Ito, Color Universal Design (2008), without its yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKS = ("o", "^", "s", "D")  # a species is told by colour and mark together
OTHERS = "#999999"
LONGEST = 32  # characters of a name in the legend
COMPONENTS = 50  # that t-SNE looks at

Ints = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float32]


def chosen(count: int, cap: int = CAP, seed: int = 0) -> Ints:
    """The rows to show, ascending: all of them, or `cap` drawn at random."""
    rows = np.random.default_rng(seed).permutation(count)[:cap]
    return np.sort(rows.astype(np.intp))


def layout(vectors: npt.NDArray[np.floating], seed: int = 0) -> Floats:
    """(N, 2) places by t-SNE of the vectors' directions (N, D); the same for the same vectors."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    count = len(vectors)
    rows = vectors.astype(np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
    if count < 4 or not np.ptp(rows, axis=0).any():  # nothing that could be laid out
        angles = 2 * np.pi * np.arange(count) / max(1, count)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    if min(rows.shape) > COMPONENTS:
        rows = PCA(COMPONENTS, random_state=seed).fit_transform(rows)
    perplexity = min(30.0, (count - 1) / 3)
    init = "pca" if rows.shape[1] > 1 else "random"
    places: Floats = TSNE(perplexity=perplexity, init=init, random_state=seed).fit_transform(rows)
    return places


def png(places: Floats, species: Ints, names: list[str], title: str) -> bytes:
    """The places (N, 2) of crops by their species (N,); the most frequent of `names` are told apart."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(11, 7.6), layout=ConstrainedLayoutEngine())
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    counts = np.bincount(species, minlength=len(names))
    order = [one for one in np.argsort(-counts, kind="stable") if counts[one]]
    looks = [(colour, mark) for mark, colour in product(MARKS, COLOURS)]
    others = order[len(looks) :]
    if others:
        rows = np.isin(species, others)
        label = f"{len(others)} other species ({rows.sum()})"
        axes.scatter(
            places[rows, 0], places[rows, 1], s=14, c=OTHERS, marker="x", linewidths=0.8, label=label
        )
    for one, (colour, mark) in zip(order, looks, strict=False):
        name = names[one] if len(names[one]) <= LONGEST else f"{names[one][: LONGEST - 1]}…"
        axes.scatter(
            places[species == one, 0],
            places[species == one, 1],
            s=22,
            c=colour,
            marker=mark,
            edgecolors="white",
            linewidths=0.4,
            label=f"{name} ({counts[one]})".replace("$", r"\$"),
        )
    axes.set_title(title.replace("$", r"\$"), loc="left", fontsize=12, fontweight="bold")
    axes.set_xticks([])
    axes.set_yticks([])
    handles, labels = axes.get_legend_handles_labels()
    moved = int(bool(others))  # drawn first, named last
    figure.legend(
        handles[moved:] + handles[:moved],
        labels[moved:] + labels[:moved],
        loc="outside right upper",
        frameon=False,
        fontsize=10,
        markerscale=1.6,
    )
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130)
    return file.getvalue()
