"""What goes to and comes from Label Studio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.render.text import NOTHING, count, decimal, indented, lines, paragraphs, share, table, tally
from pipeline.store import choices

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.steps.labelling.decisions import Undecided
    from pipeline.steps.labelling.propose import Proposal
    from pipeline.steps.labelling.requested_boards import RequestedBoard
    from pipeline.steps.labelling.review import ReviewRequest, Suspect
    from pipeline.steps.labelling.species import ListedSpecies, SpeciesChange
    from pipeline.steps.labelling.stock import StockReport
    from pipeline.steps.labelling.sync import SyncReport
    from pipeline.steps.labelling.withdraw import Withdrawal


DONE = "Labelling is done: every crop has a label, an accepted prediction, or people are unsure about it."


def proposal_report(proposal: Proposal, path: Path) -> str:
    """The species of a proposed list with their photographs, and what it leaves out."""
    rows = [
        (each.names[0], f"{each.photographs:,}", each.taxon.scientific_name or NOTHING)
        for each in proposal.species
    ]
    rare = ", ".join(f"{each.names[0]} ({each.photographs})" for each in proposal.rare)
    left_out = ", ".join(f"{name} ({number:,})" for name, number in proposal.left_out.items())
    return lines(
        f"{count(len(rows), 'species')} named by {', '.join(proposal.sources)}, now in {path}: edit it, and "
        "give it with --species",
        table(("species", "photographs", "scientific name"), rows, "lrl"),
        f"rare, as comments in the file: {rare}" if rare else None,
        f"left out: {left_out}" if left_out else None,
    )


def stock_report(report: StockReport) -> str:
    """What Label Studio asks people now, and what a top-up did."""
    if report.is_done:
        waiting = DONE
    elif report.version is None:
        waiting = f"Label Studio asks {count(report.open, 'tasks')}, in no order yet"
    else:
        waiting = f"Label Studio asks {count(report.open, 'tasks')}, first the queue of {report.version}"
    return lines(
        waiting,
        indented(
            tally(
                [
                    (report.asked, "new tasks"),
                    (report.parked, "tasks settled or asked anew: nobody gets them any more"),
                    (report.deleted, "such tasks of earlier days removed"),
                    (report.recovered, "tasks of an interrupted run found again"),
                ]
            )
        ),
    )


NEAREST = 5  # crops of a board that a report lists


def requested_boards(boards: Sequence[RequestedBoard]) -> str:
    """Each board with its reason and its first crops."""
    if not boards:
        return "No board: nothing stands out among the crops and labels."
    return paragraphs(*(_requested_board(board) for board in boards))


def _requested_board(board: RequestedBoard) -> str:
    has_example = any(crop.similarity is not None for crop in board.crops)
    rows = [
        (
            crop.file_name,
            decimal(crop.similarity),
            NOTHING if crop.predicted is None else f"{crop.predicted} {share(crop.probability)}",
        )
        for crop in board.crops[:NEAREST]
    ]
    place = "comes before the queue" if board.version else "comes after tasks that have a place in a queue"
    return lines(
        f"A board of {count(len(board.crops), 'crops')} is task {board.task_id}, which {place}",
        indented(board.reason),
        indented(table(("nearest" if has_example else "first", "similarity", "predicted"), rows, "lrl")),
    )


def unoffered(labels: Mapping[str, int]) -> str:
    """Labels by species of which the project offers none; "" if there are none."""
    if not labels:
        return ""
    listed = ", ".join(f"{name} ({number:,})" for name, number in labels.items())
    return lines(
        f"{count(sum(labels.values()), 'labels')} are of no choice, so nothing suggests them: {listed}",
        f"  -> {choices.remedy(labels)}",
    )


def species_list(found: Sequence[ListedSpecies]) -> str:
    """What annotators can choose, one a line, and the labels of no choice."""
    return table(
        ("species", "key", "labels", "other names", ""),
        [
            (
                one.name,
                one.hotkey or NOTHING,
                f"{one.labels:,}",
                ", ".join(one.other_names) or NOTHING,
                "" if one.offered else "proposed" if one.proposed else "not offered",
            )
            for one in found
        ],
        "llrll",
    )


def species_change(report: SpeciesChange) -> str:
    """What the project offers now, and what followed."""
    return lines(
        f"annotators can choose: {', '.join(report.offered)}",
        f"{count(report.relabelled, 'labels')} follow" if report.relabelled else None,
        *(
            _doubled(number, name, offers)
            for number, found in report.doubled.items()
            for name, offers in found.items()
        ),
        None if report.stock is None else stock_report(report.stock),
    )


def _doubled(project_id: int, name: str, offers: Sequence[str]) -> str:
    merged = " ".join(f'"{word}"' for word in offers)
    return (
        f"project {project_id} offers {' and '.join(offers)}, which are one species now: "
        f'`wildloop project species merge {merged} --into "{name}" --project {project_id}` offers one there'
    )


def queue_state(report: StockReport | None) -> str:
    """Whether Label Studio has the queue of the current version; None: nothing was sent to it."""
    if report is None:
        return "its queue waits for `wildloop publish`: LABEL_STUDIO_API_KEY is not set"
    return stock_report(report)


def sync_report(report: SyncReport) -> str:
    """What Label Studio had that the database lacked."""
    return lines(
        f"{count(report.tasks, 'tasks')} compared, {count(report.new, 'changes')} recorded",
        indented(
            tally(
                [
                    (
                        report.tasks_deleted,
                        "tasks deleted in Label Studio: `wildloop publish` creates them again",
                    ),
                    (report.foreign, "annotations of tasks that Wildloop did not create"),
                    (report.unreadable, "tasks left as they are: an annotation cannot be read"),
                    (
                        report.disputed,
                        "crops with labels that tie: mark one annotation as ground truth to settle it",
                    ),
                ]
            )
        ),
    )


def suspects(found: Sequence[Suspect]) -> str:
    """Labels that are expected to be wrong, one a line, most probable first."""
    return table(
        ("wrong", "label", "by", "predicted", "probability", "task", "file", "detection"),
        [
            (
                share(one.wrong),
                one.label_name,
                ", ".join(one.labelled_by) or NOTHING,
                one.predicted,
                decimal(one.probability, 3),
                NOTHING if one.task_id is None else str(one.task_id),
                one.file_name,
                one.detection_id,
            )
            for one in found
        ],
        "rlllrrll",
    )


def review_request(report: ReviewRequest) -> str:
    """How many labels people look at again."""
    asked = f"{count(report.created, 'labels')} put before people again, in {count(report.tasks, 'tasks')}"
    return f"{asked}; {report.waiting:,} waiting now"


def undecided_crops(found: Sequence[Undecided]) -> str:
    """Crops that somebody must decide, one a line, with who said what."""
    return table(
        ("file", "said", "comment", "detection"),
        [
            (
                one.file_name,
                "; ".join(f"{word} ({', '.join(by)})" for word, by in sorted(one.said.items())) or NOTHING,
                one.comment or NOTHING,
                one.detection_id,
            )
            for one in found
        ],
        "llll",
    )


def withdrawal(found: Withdrawal) -> str:
    """Annotations that are meant, by annotator, way and answer."""
    if found.first is None or found.last is None:
        return "No annotation that counts is meant by this."
    first, last = (moment.astimezone().strftime("%Y-%m-%d %H:%M") for moment in (found.first, found.last))
    return lines(
        f"{count(found.annotations, 'annotations')} of {count(found.tasks, 'tasks')} with "
        f"{count(found.crops, 'crops')}, made from {first} to {last}",
        *(
            f"{what}: {', '.join(f'{name} ({number:,})' for name, number in counts.items())}"
            for what, counts in (
                ("annotations by annotator", found.annotators),
                ("crops by way", found.ways),
                ("crops by answer", found.answers),
            )
        ),
    )
