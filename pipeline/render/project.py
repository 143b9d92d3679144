"""Projects: what their screens ask, and how one goes on in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.render.text import NOTHING, count, facts, lines

if TYPE_CHECKING:
    from pipeline.label_studio.screen.options import ScreenOptions
    from pipeline.steps.labelling.renew import Renewal


def screen_options(options: ScreenOptions) -> str:
    """The options of a project, one a line."""
    asked = {"count", "sex", "age", "several", "comment", "boxes"}
    also = [name for name, value in options.to_json().items() if name in asked and value]
    return facts(
        [
            ("asked beside the species", ", ".join(also) or NOTHING),
            ("behaviours", ", ".join(options.behaviour) or NOTHING),
            ("suggests from a probability of", f"{options.suggest_from:g}"),
            ("unanswered tasks in Label Studio", f"{options.stock:,}"),
            ("boards of crops predicted alike", "yes" if options.boards else "no"),
            ("crops with a second opinion", f"{options.opinions:.0%}"),
        ]
    )


def renewal(report: Renewal) -> str:
    """The new project, and what becomes of the former."""
    taken = f" and {count(report.audit, 'audit crops')}" if report.audit else ""
    return lines(
        *report.changes,
        f"project {report.new.id} ({report.new.title}) goes on with {count(report.labels, 'labels')}{taken}",
        f"project {report.former.id} is {report.former.title!r} now: its answers still count, and nothing is "
        "asked in it any more; tell annotators to use the new one",
    )
