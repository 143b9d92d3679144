"""Queue orders side by side on a labelled pool: macro-F1 on held-out groups against labels.

    python benchmarks/strategies.py POOL.npz [--seeds 5] [--budget 1000] [--processes 2]

POOL.npz holds `E` (N, D) and `label` (N), and may hold `group` (N; sequences) and `location` (N). A
third of the locations (groups, rows) is held out; labels come in rounds of max(20, a fifth) as in
operation, from the order that the round's head asks for, and the same head judges every strategy.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline import acquisition, heads
from pipeline.steps.train import new_labels_wanted

START = 20
REPORTED = (20, 50, 100, 200, 300, 500, 700, 1000)
# Name: how the first labels are chosen, and the later ones.
STRATEGIES: dict[str, tuple[str, str | float]] = {
    "random": ("random", "random"),
    "cover, random": ("cover", "random"),
    "random, margin": ("random", "margin"),
    "cover, margin": ("cover", "margin"),
    "cover, one a burst": ("cover", "burst"),
    "cover, diversity 2": ("cover", 2.0),
    "cover, diversity 3": ("cover", 3.0),
    "cover, diversity 10": ("cover", 10.0),
}
Ints = npt.NDArray[np.intp]


def choose(
    how: str | float,
    head: heads.LinearHead,
    embeddings: npt.NDArray[np.float16],
    sequences: npt.NDArray[np.str_],
    k: int,
    rng: np.random.Generator,
) -> Ints:
    """The next `k` rows to label."""
    if how == "random":
        return rng.permutation(len(embeddings))[:k]
    probabilities = head.probabilities(embeddings)
    if how == "margin":
        return np.argsort(acquisition.margin(probabilities), kind="stable")[:k]
    reach = 1.0 if isinstance(how, str) else how  # a reach of 1 leaves nothing to part: one a burst alone
    queue = max(100, 2 * k)
    return acquisition.margin_with_diversity(probabilities, embeddings, sequences, queue, rng, reach=reach)[
        :k
    ]


def replay(pool: Path, strategy: str, seed: int, budget: int) -> list[tuple[int, float, float, int]]:
    """Labels, accuracy, macro-F1 and classes seen after each round."""
    first, later = STRATEGIES[strategy]
    stored = np.load(pool, allow_pickle=False)
    embeddings = stored["E"]
    y = np.unique(stored["label"], return_inverse=True)[1]
    rows = np.arange(len(y))
    sequences = stored.get("group", rows).astype(str)
    locations = stored.get("location", sequences).astype(str)
    rng = np.random.default_rng(seed)
    places = rng.permutation(np.unique(locations))
    held_out = np.isin(locations, places[: len(places) // 3])
    test, open_rows = rows[held_out], rows[~held_out]
    if first == "cover":
        labelled = acquisition.typical_cover(embeddings, 100, rng, rows=open_rows)[:START]
    else:
        labelled = rng.permutation(open_rows)[:START]
    curve = []
    while True:
        examples = heads.Examples(
            embeddings=embeddings[labelled],
            labels=y[labelled].tolist(),
            sequences=sequences[labelled].tolist(),
            locations=locations[labelled].tolist(),
        )
        head = heads.fit(examples, embedder="benchmark", seed=seed).head
        said = np.array(head.classes)[head.probabilities(embeddings[test]).argmax(axis=1)]
        accuracy = float((said == y[test]).mean())
        curve.append((len(labelled), accuracy, macro_f1(y[test], said), len(head.classes)))
        if len(labelled) >= budget:
            return curve
        rest = np.setdiff1d(open_rows, labelled)
        k = min(new_labels_wanted(len(labelled), START), budget - len(labelled))
        picks = choose(later, head, embeddings[rest], sequences[rest], k, rng)
        labelled = np.concatenate([labelled, rest[picks]])


def macro_f1(truth: Ints, said: Ints) -> float:
    """Mean F1 over the classes that the truth holds."""
    figures = []
    for one in np.unique(truth):
        both = np.sum((truth == one) & (said == one))
        figures.append(2 * both / (np.sum(truth == one) + np.sum(said == one)))
    return float(np.mean(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pool", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    tasks = list(product([arguments.pool], STRATEGIES, range(arguments.seeds), [arguments.budget]))
    with ProcessPoolExecutor(arguments.processes) as workers:
        curves = list(workers.map(replay, *zip(*tasks, strict=True)))
    reported = [labels for labels in REPORTED if labels <= arguments.budget]
    print(f"{arguments.pool.name}: macro-F1 (classes seen), mean of {arguments.seeds} seeds")
    print(f"{'labels':20}" + "".join(f"{labels:>13}" for labels in reported) + "   +- at the end")
    for strategy in STRATEGIES:
        mine = np.array([c for c, task in zip(curves, tasks, strict=True) if task[1] == strategy])
        mean = mine.mean(axis=0)
        cells = ""
        for labels in reported:
            f1, classes = (np.interp(labels, mean[:, 0], mean[:, column]) for column in (2, 3))
            cells += f"{f1:7.3f} ({classes:3.0f})"
        print(f"{strategy:20}{cells}   {mine[:, -1, 2].std(ddof=1):.3f}")


if __name__ == "__main__":
    main()
