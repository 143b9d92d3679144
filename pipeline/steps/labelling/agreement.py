"""How far the annotators of a project agree, and who says what the others say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from pipeline.agreement import Alpha, Consensus, alpha_by_category, beside_consensus, pairs_that_agree, share
from pipeline.current_label import GROUPS
from pipeline.records import AnnotationRecord, Purpose, Verdict, Way
from pipeline.steps.labelling.decisions import undecided
from pipeline.store import categories, opinions, oracle, projects
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class WayOfLabelling:
    """What one annotator did in one way."""

    labels: int  # crops that they named, "empty" included, or called unsure
    seconds: float | None  # median for one crop; None if Label Studio told none
    kept: float | None  # share of the machine's suggestions that they kept; None if they saw none


@dataclass(frozen=True, kw_only=True)
class Annotator:
    """One annotator beside the others."""

    id: str  # in Label Studio
    name: str  # the id, where Label Studio does not tell
    labels: int
    consensus: Consensus
    repeats: Consensus  # crops that they named twice without being told: how often the same
    ways: Mapping[Way, WayOfLabelling]


@dataclass(frozen=True, kw_only=True)
class AgreementReport:
    """The agreement of a project's annotators."""

    all: Alpha
    species: Mapping[str, Alpha]  # each against the rest, most crops first
    annotators: tuple[Annotator, ...]  # most labels first
    disputed: int  # crops on which annotators disagree, and that nobody has decided
    experts: int  # crops that wait for an expert


def agreement(
    workspace: Workspace, project_id: int, names: Mapping[str, str] | None = None
) -> AgreementReport:
    """The agreement of all who annotate in the project; `names` are theirs by id.

    An annotator has one answer for a crop: the last one that they gave it alone, or else in a group. Answers
    to reviews, disputes and for experts do not count: what is asked there was chosen because labels seem
    wrong. "Unsure" is no species, so such answers do not count either. Raises StoreError for an unknown
    project.
    """
    with workspace.database.read() as conn:
        projects.get(conn, project_id)
        doubted = opinions.chosen_for_doubt(conn, project_id)
        states = oracle.active_annotations(conn, project_id)
        species = categories.names(conn)
        waiting = undecided(conn, project_id)
    said = [state.annotation for state in states if state.annotation.annotator is not None]
    said = [each for each in said if each.verdict in (Verdict.LABEL, Verdict.UNSURE)]
    independent = [each for each in said if each.task_id not in doubted and each.verdict is Verdict.LABEL]
    answers = _answers(independent)
    votes = {crop: {who: given[-1] for who, given in of_crop.items()} for crop, of_crop in answers.items()}
    every, by_category = alpha_by_category(votes)
    ranked = sorted(by_category.items(), key=lambda item: (-item[1].crops, species[item[0]]))
    return AgreementReport(
        all=every,
        species={species[category]: found for category, found in ranked},
        annotators=tuple(_annotators(said, answers, beside_consensus(votes), names or {})),
        disputed=sum(each.purpose is Purpose.DISPUTED for each in waiting),
        experts=sum(each.purpose is Purpose.EXPERT for each in waiting),
    )


def _answers(independent: Iterable[AnnotationRecord]) -> dict[str, dict[str, list[int]]]:
    """What each annotator called each crop; last what counts: the latest that was said of it alone."""
    found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    in_order = sorted(
        independent, key=lambda each: (each.way not in GROUPS, each.annotated_at, each.annotation_uid)
    )
    for each in in_order:
        assert each.annotator is not None, "answers without an annotator are left out"
        assert each.label is not None, "a label has a category"
        found[each.detection_id][each.annotator].append(each.label)
    return found


def _annotators(
    said: Sequence[AnnotationRecord],
    answers: Mapping[str, Mapping[str, Sequence[int]]],
    beside: Mapping[str, Consensus],
    names: Mapping[str, str],
) -> list[Annotator]:
    by_annotator: dict[str, list[AnnotationRecord]] = defaultdict(list)
    for each in said:
        by_annotator[each.annotator or ""].append(each)
    repeats: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for of_crop in answers.values():
        for who, given in of_crop.items():
            repeats[who] += [(given[-2], given[-1])] if len(given) > 1 else []
    found = [
        Annotator(
            id=who,
            name=names.get(who, who),
            labels=len({each.detection_id for each in own}),
            consensus=beside.get(who, share(0, 0)),
            repeats=pairs_that_agree(repeats[who]),
            ways=_ways(own),
        )
        for who, own in by_annotator.items()
    ]
    return sorted(found, key=lambda annotator: (-annotator.labels, annotator.name))


def _ways(own: Iterable[AnnotationRecord]) -> dict[Way, WayOfLabelling]:
    by_way: dict[Way, list[AnnotationRecord]] = defaultdict(list)
    for each in own:
        by_way[each.way or Way.SINGLE].append(each)
    return {way: _way(by_way[way]) for way in Way if way in by_way}


def _way(said: Sequence[AnnotationRecord]) -> WayOfLabelling:
    seconds = [each.lead_time for each in said if each.lead_time is not None]
    kept = [each.kept for each in said if each.kept is not None]
    return WayOfLabelling(
        labels=len(said),
        seconds=median(seconds) if seconds else None,
        kept=sum(kept) / len(kept) if kept else None,
    )
