"""Labels + the current version -> crops that show people what each species looks like."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pipeline.current_label import CurrentLabel, current_label
from pipeline.heads import LinearHead
from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.instructions import SpeciesExamples
from pipeline.records import EMPTY, LABEL_STUDIO_SOURCE, ProjectRecord
from pipeline.steps.learning.predict import load_head
from pipeline.steps.learning.training_set import TrainingSet, read_training_set
from pipeline.store import categories, choices, models, oracle, tasks, taxa
from pipeline.store.tasks import TaskContent
from pipeline.taxonomy import hint
from pipeline.workspace import Workspace

EACH = 3  # crops of a species
MOST = 120  # crops of all species, which open at once: Label Studio takes `loading="lazy"` off (1.23.2)
SURE = 0.8  # the least probability, by the current version, of the species that people named
LOOKED_AT = 30  # of a species, surest first: enough to find some of different places


def species_examples(
    workspace: Workspace, project: ProjectRecord, served: ServedFiles, shown: Sequence[str]
) -> list[SpeciesExamples]:
    """Examples of each species that the project offers, in its order; none before the first head.

    An example was labelled by people, who agree, and the current version says the same with a probability of
    `SURE` at least. Of these come first the crops in `shown`, so that examples stay while they are right;
    then what more people agree on, then what is surer, from different places. Audit crops are never
    examples: whoever is asked about one again must not have seen its label. Raises ModelError if the files of
    the version are damaged.
    """
    with workspace.database.read() as conn:
        current = models.current(conn, project.id)
    if current is None or current.path is None:
        return []
    pool = workspace.pool(current.embedder)
    with workspace.database.read() as conn:
        crops = read_training_set(conn, pool, project.id)
        offered = choices.offered(conn, project.id)
        nothing = categories.numbers(conn).get(EMPTY)
        known = taxa.all(conn)
    species = [number for number in offered if number != nothing]
    each = max(1, min(EACH, MOST // max(1, len(species))))
    surest = _surest(crops, load_head(workspace, current), set(shown))
    looked_at = [crop for number in species for crop in surest.get(number, ())]
    with workspace.database.read() as conn:
        histories = oracle.histories(conn, looked_at)
        contents = tasks.contents(conn, looked_at)
    labels = {crop: current_label(history) for crop, history in histories.items()}
    examples = []
    for number in species[:MOST]:
        agreed = [crop for crop in surest.get(number, ()) if crop in contents and _is_agreed(labels[crop])]
        agreed.sort(key=lambda crop: -labels[crop].votes)  # stable: then the surest
        chosen = _of_different_places([crop for crop in shown if crop in agreed], agreed, contents, each)
        taxon = known.get(number)
        examples.append(
            SpeciesExamples(
                word=offered[number],
                scientific_name=None if taxon is None else hint(taxon),
                crops=[(crop, served.address(contents[crop].crop_path)) for crop in chosen],
            )
        )
    return examples


def _surest(crops: TrainingSet, head: LinearHead, shown: Collection[str]) -> dict[int, list[str]]:
    """Of each class of the head, those in `shown` and the surest of the crops with that label."""
    column = {category: place for place, category in enumerate(head.classes)}
    ids = [crop for crop in crops.ids if crops.labels[crop] in column]
    if not ids:
        return {}
    own = np.array([column[crops.labels[crop]] for crop in ids], np.intp)
    probability = head.probabilities(crops.pool.rows(ids))[np.arange(len(ids)), own]
    surest: dict[int, list[str]] = {}
    for place, category in enumerate(head.classes):
        rows = np.flatnonzero((own == place) & (probability >= SURE))
        order = rows[np.argsort(-probability[rows], kind="stable")]
        kept = [ids[row] for row in rows if ids[row] in shown]
        surest[category] = list(dict.fromkeys([*kept, *(ids[row] for row in order[:LOOKED_AT])]))
    return surest


def _is_agreed(label: CurrentLabel) -> bool:
    """Whether people gave the label, and nobody another one."""
    return label.source == LABEL_STUDIO_SOURCE and label.resolved and label.votes == label.voters


def _of_different_places(
    kept: Sequence[str], ranked: Sequence[str], contents: Mapping[str, TaskContent], wanted: int
) -> list[str]:
    """`kept`, then the best of each other place, then sequence, then any, until there are `wanted`."""
    places = {crop: contents[crop].location for crop in ranked}
    sequences = {crop: contents[crop].sequence or contents[crop].image_id for crop in ranked}
    chosen = list(kept[:wanted])
    for kinds in (places, sequences, {crop: crop for crop in ranked}):
        seen = {kinds[crop] for crop in chosen}
        for crop in ranked:
            if len(chosen) < wanted and kinds[crop] not in seen:
                seen.add(kinds[crop])
                chosen.append(crop)
    return chosen
